package sibling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// heard notes what one end of a conversation is told.
type heard struct {
	mu     sync.Mutex
	lines  []string
	layers []oci.Layer
}

func (h *heard) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, text)
}

// help is what the first program does for the second.
func (h *heard) help() Help {
	return Help{
		Login: func(_ context.Context, host string) (oci.Login, error) {
			if host == "unknown.test" {
				return oci.Login{}, &diag.Problem{Summary: "Unreadable registry-auth", Detail: "Line 1."}
			}
			return oci.Login{Username: "me", Password: secret.Text("pw of " + host)}, nil
		},
		Written: func(layer oci.Layer) { h.layers = append(h.layers, layer) },
		Note:    h.note,
		Progress: func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
			var output strings.Builder
			err := fn(ctx, &output)
			h.note(fmt.Sprintf("%s: %s(%v)", title, output.String(), err))
			return err
		},
	}
}

// talk has build answer an order.
func talk(t *testing.T, order Order, help Help, build func(context.Context, Order, *Caller) (Result, error)) (Result, error) {
	t.Helper()
	input, toCommand := io.Pipe()
	fromCommand, output := io.Pipe()
	served := make(chan error, 1)
	go func() {
		err := Serve(t.Context(), input, output, build)
		output.Close()
		served <- err
	}()
	result, err := converse(t.Context(), toCommand, fromCommand, order, help)
	_, _ = io.Copy(io.Discard, fromCommand) // it ends without an error
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	return result, err
}

func TestConversation(t *testing.T) {
	t.Parallel()
	order := Order{
		Root: "/w", Dockerfile: "/w/Dockerfile", Args: map[string]string{"A": "1"}, Secrets: map[string]secret.Text{"key": "hunter2"},
		Remote: &Remote{Name: "r.test/cache", Read: []string{"default"}}, Environ: []string{"HTTP_PROXY=p"},
	}
	hash := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}
	layer := oci.Layer{DiffID: hash, Descriptor: v1.Descriptor{Digest: hash, Size: 7}}
	var h heard
	got, err := talk(t, order, h.help(), func(ctx context.Context, received Order, caller *Caller) (Result, error) {
		if diff := cmp.Diff(order, received); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if received.Secrets["key"].Reveal() != "hunter2" {
			t.Error("the secret did not arrive")
		}
		login, err := caller.Login(ctx, "r.test")
		if err != nil || login.Username != "me" || login.Password.Reveal() != "pw of r.test" {
			t.Errorf("Login = %+v, %v", login, err)
		}
		if _, err := caller.Login(ctx, "unknown.test"); err == nil || err.Error() != "Unreadable registry-auth" {
			t.Errorf("Login of an unknown host = %v, want the problem", err)
		}
		caller.Note("careful")
		caller.Written(layer)
		caller.Written(oci.Layer{From: &artifact.Repository{Name: "elsewhere"}})
		return Result{Digest: "sha256:1", Architecture: "amd64", Bases: map[string]string{"b": "sha256:2"}}, caller.Progress(ctx, "[1/1] RUN x", func(_ context.Context, out io.Writer) error {
			_, err := fmt.Fprint(out, "one\n::two\xff\n")
			return err
		})
	})
	if diff := cmp.Diff(Result{Digest: "sha256:1", Architecture: "amd64", Bases: map[string]string{"b": "sha256:2"}}, got); diff != "" || err != nil {
		t.Errorf("result is %v, (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"careful", "[1/1] RUN x: one\n::two\xff\n(<nil>)"}, h.lines); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]oci.Layer{layer}, h.layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

// TestFailures are the same at both ends, with what wraps them.
func TestFailures(t *testing.T) {
	t.Parallel()
	problem := &diag.Problem{Summary: "RUN failed", Detail: "Dockerfile:3: it did.", Attr: "dockerfile", Err: errors.New("exit status 3")}
	cases := map[string]error{
		"plain":           errors.New("opening x: no such file"),
		"problem":         problem,
		"wrapped problem": fmt.Errorf("unpacking: %w", problem),
		"without a cause": &diag.Problem{Summary: "Missing Dockerfile", Detail: "Add it."},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h heard
			_, got := talk(t, Order{}, h.help(), func(ctx context.Context, _ Order, caller *Caller) (Result, error) {
				return Result{}, caller.Progress(ctx, "step", func(context.Context, io.Writer) error { return want })
			})
			if got == nil || got.Error() != want.Error() {
				t.Fatalf("error is %v, want %v", got, want)
			}
			wanted, _ := errors.AsType[*diag.Problem](want)
			if found, ok := errors.AsType[*diag.Problem](got); ok != (wanted != nil) || ok && (found.Detail != wanted.Detail || found.Attr != wanted.Attr) {
				t.Errorf("problem is %+v, want %+v", found, wanted)
			}
			if diff := cmp.Diff([]string{fmt.Sprintf("step: (%v)", want)}, h.lines); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSecondProgramEnds in the middle of a step and of a question.
func TestSecondProgramEnds(t *testing.T) {
	t.Parallel()
	input, toCommand := io.Pipe()
	fromCommand, output := io.Pipe()
	go func() {
		_, _ = decodeOrder(json.NewDecoder(input))
		say := json.NewEncoder(output)
		_ = say.Encode(message{Step: &stepMessage{ID: 1, Title: "RUN x"}})
		_ = say.Encode(message{Ask: &question{ID: 2, Host: "r.test"}})
		input.CloseWithError(io.ErrClosedPipe)
		output.Close()
	}()
	var h heard
	if _, err := converse(t.Context(), toCommand, fromCommand, Order{}, h.help()); !errors.Is(err, errSilent) {
		t.Errorf("converse = %v, want %v", err, errSilent)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("RUN x: (%v)", errSilent)}, h.lines); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// TestFirstProgramEnds while the second builds, as when it is killed.
func TestFirstProgramEnds(t *testing.T) {
	t.Parallel()
	input, toCommand := io.Pipe()
	go func() {
		_ = Order{}.encode(json.NewEncoder(toCommand))
		toCommand.Close()
	}()
	err := Serve(t.Context(), input, io.Discard, func(ctx context.Context, _ Order, caller *Caller) (Result, error) {
		_, err := caller.Login(ctx, "r.test")
		if !errors.Is(err, errGone) {
			t.Errorf("Login = %v, want %v", err, errGone)
		}
		<-ctx.Done()
		return Result{}, context.Cause(ctx)
	})
	if err != nil {
		t.Errorf("Serve = %v", err)
	}
}
