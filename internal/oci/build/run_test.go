package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// TestMain makes the test binary the helper that commands are started with, and
// the program that builds in containers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == buildVerb {
		os.Exit(buildHere())
	}
	if len(os.Args) > 1 && os.Args[1] == sandbox.Verb {
		os.Exit(sandbox.Helper(context.Background(), os.Args[2:]))
	}
	os.Exit(m.Run())
}

// shell is the beginning of a Dockerfile whose commands are busybox's.
const shell = "FROM scratch AS shell\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n"

// runDir makes a folder with files to build from, busybox among them. A test
// that cannot run commands is skipped.
func runDir(t *testing.T, content map[string]string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("commands run as root here")
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skipf("commands need busybox: %v", err)
	}
	dir := t.TempDir()
	write(t, dir, content)
	if err := os.WriteFile(filepath.Join(dir, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runRequest is a request for a Dockerfile that runs commands. Its folders for
// work and caches are the test's.
func runRequest(t *testing.T, dir string) build.Request {
	t.Helper()
	req := newRequest(t, dir)
	req.Caches, req.Work = filepath.Join(t.TempDir(), "mounts"), filepath.Join(t.TempDir(), "work")
	return req
}

// builtFiles are the entries of the files that a test's image has in /out, in
// the order of their layers.
func builtFiles(t *testing.T, req build.Request) []string {
	t.Helper()
	var found []string
	for _, e := range entries(t, buildImage(t, req)) {
		_, name, _ := strings.Cut(e, " 0:0 ")
		if strings.HasPrefix(name, "out/") && name != "out/" {
			found = append(found, name)
		}
	}
	return found
}

// TestRun builds what needs commands.
func TestRun(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		instructions string
		want         []string
	}{
		"a file":           {"RUN mkdir /out && echo hi > /out/a", []string{"out/a=hi\n"}},
		"one after other":  {"RUN mkdir /out && echo 1 > /out/a\nRUN echo 2 >> /out/a", []string{"out/a=1\n", "out/a=1\n2\n"}},
		"COPY between":     {"RUN mkdir /out\nCOPY a.txt /out/a\nRUN cat /out/a /out/a > /out/b", []string{"out/a=A", "out/b=AA"}},
		"a removed file":   {"RUN mkdir /out && echo 1 > /out/a\nRUN rm /out/a", []string{"out/a=1\n", "out/.wh.a="}},
		"a later stage":    {"RUN echo 1 > /made\nFROM scratch\nCOPY --from=shell /made /out/made", []string{"out/made=1\n"}},
		"heredoc":          {"RUN <<EOF\nmkdir /out\necho $0 > /out/a\nEOF", []string{"out/a=/bin/sh\n"}},
		"arguments":        {"ARG A=1\nENV B=2\nRUN mkdir /out && echo $A$B > /out/a", []string{"out/a=12\n"}},
		"working folder":   {"WORKDIR /out\nRUN pwd > a", []string{"out/a=/out\n"}},
		"linked":           {"COPY --link a.txt /out/a\nRUN cat /out/a > /out/b", []string{"out/a=A", "out/b=A"}},
		"from the context": {"RUN --mount=target=/src mkdir /out && cat /src/a.txt > /out/a && ls /src > /out/ls", []string{"out/a=A", "out/ls=Dockerfile\na.txt\nbusybox\nd\n"}},
		"from a stage":     {"FROM scratch AS data\nCOPY a.txt /deep/a\nFROM shell\nRUN --mount=from=data,source=deep,target=/m mkdir /out && cat /m/a > /out/a", []string{"out/a=A"}},
		"temporary":        {"RUN --mount=type=tmpfs,target=/t mkdir /out && echo 1 > /t/x && ls /t > /out/a", []string{"out/a=x\n"}},
		"secret":           {"RUN --mount=type=secret,id=key mkdir /out && wc -c < /run/secrets/key > /out/a", []string{"out/a=6\n"}},
		"secret variable":  {"RUN --mount=type=secret,id=key,env=KEY mkdir /out && echo ${#KEY} > /out/a", []string{"out/a=6\n"}},
		"optional secret":  {"RUN --mount=type=secret,id=none mkdir /out && ls /run 2>/dev/null > /out/a; true", []string{"out/a="}},
		"two branches": {
			"FROM shell AS first\nRUN mkdir /out && echo 1 > /out/a\nFROM first AS b\nRUN echo b >> /out/a\nFROM first AS c\nRUN echo c >> /out/a\n" +
				"FROM scratch\nCOPY --from=b /out/a /out/b\nCOPY --from=c /out/a /out/c", []string{"out/b=1\nb\n", "out/c=1\nc\n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := runDir(t, map[string]string{"Dockerfile": shell + test.instructions, "a.txt": "A", "d/x": "X"})
			req := runRequest(t, dir)
			req.Secrets = map[string]secret.Text{"key": "s3cret"}
			if diff := cmp.Diff(test.want, builtFiles(t, req)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if left, err := os.ReadDir(req.Work); err != nil || len(left) > 0 {
				t.Errorf("after the build the folder for work has %v, %v", left, err)
			}
		})
	}
}

// TestCacheMount keeps a folder from one build to the next.
func TestCacheMount(t *testing.T) {
	t.Parallel()
	for _, sharing := range []string{"shared", "locked", "private"} {
		t.Run(sharing, func(t *testing.T) {
			t.Parallel()
			dir := runDir(t, map[string]string{
				"Dockerfile": shell + "ARG N\nRUN --mount=type=cache,target=/c,mode=0750,sharing=" + sharing +
					" mkdir /out && echo $N >> /c/log && cat /c/log > /out/log && stat -c %a /c > /out/mode",
			})
			req := runRequest(t, dir)
			for n, want := range []string{"0\n", "0\n1\n"} {
				req.Args = map[string]string{"N": []string{"0", "1"}[n]}
				if diff := cmp.Diff([]string{"out/log=" + want, "out/mode=750\n"}, builtFiles(t, req)); diff != "" {
					t.Errorf("build %d (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

// TestRunProblems has commands fail, and asks for what cannot be had.
func TestRunProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		instructions string
		want         []string // summary, then parts of the detail
	}{
		"exit code": {
			"RUN echo one; echo two >&2; exit 3",
			[]string{"RUN failed", "Dockerfile:4: RUN echo one; echo two >&2; exit 3 ended with exit code 3. The end of its output:\none\ntwo"},
		},
		"silent":           {"RUN false", []string{"RUN failed", "Dockerfile:4: RUN false ended with exit code 1. It wrote nothing."}},
		"killed":           {"RUN sh -c 'kill -9 $$'; exit $?", []string{"RUN failed", "exit code 137", "killed, most often because memory ran out"}},
		"first cause only": {"FROM shell AS slow\nRUN sleep 100\nFROM shell AS fast\nRUN exit 7\nFROM scratch\nCOPY --from=slow / /\nCOPY --from=fast / /", []string{"RUN failed", "Dockerfile:7: RUN exit 7 ended with exit code 7"}},
		"secret":           {"RUN --mount=type=secret,id=kay,required=true true", []string{"Missing build secret", `Dockerfile:4: The command needs the secret "kay".`, `"key"`}},
		"ssh":              {"RUN --mount=type=ssh,required=true true", []string{"RUN --mount=type=ssh is not supported", "--mount=type=secret"}},
		"no network":       {"RUN --network=none true", []string{"RUN --network=none is not supported", "BuildKit can"}},
		"privileged":       {"RUN --security=insecure true", []string{"RUN --security=insecure is not supported", "BuildKit can"}},
		"mount of nothing": {"RUN --mount=target=/m,source=none true", []string{"Missing source of a mount", "/m has no \"/none\""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := runRequest(t, runDir(t, map[string]string{"Dockerfile": shell + test.instructions}))
			req.Secrets = map[string]secret.Text{"key": "s3cret"}
			_, err := build.Build(t.Context(), req)
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != test.want[0] {
				t.Fatalf("Build = %v, want the problem %q", err, test.want[0])
			}
			for _, part := range test.want[1:] {
				if !strings.Contains(problem.Detail, part) {
					t.Errorf("the problem says %q, want %q in it", problem.Detail, part)
				}
			}
		})
	}
}

// TestRunReproducible builds the same in two folders with other times.
func TestRunReproducible(t *testing.T) {
	t.Parallel()
	digests := map[string]bool{}
	for _, age := range []time.Duration{time.Hour, 1000 * time.Hour} {
		dir := runDir(t, map[string]string{
			"Dockerfile": shell + "COPY d /d\nRUN mkdir /out && cp /d/x /out/x && ln /out/x /out/y && chmod 4755 /out/x\nFROM scratch\nCOPY --from=shell /out /out",
			"d/x":        "X",
		})
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, "d", "x"), then, then); err != nil {
			t.Fatal(err)
		}
		result, err := build.Build(t.Context(), runRequest(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		digests[result.Digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("the same input made %d images: %v", len(digests), digests)
	}
}

// TestCancelledRun ends a build in the middle of a command.
func TestCancelledRun(t *testing.T) {
	t.Parallel()
	req := runRequest(t, runDir(t, map[string]string{"Dockerfile": shell + "RUN echo started; sleep 1000"}))
	req.Secrets = map[string]secret.Text{"key": "s3cret"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req.Progress = func(ctx context.Context, _ string, fn func(context.Context, io.Writer) error) error {
		return fn(ctx, writerFunc(func(p []byte) (int, error) {
			if strings.Contains(string(p), "started") {
				cancel()
			}
			return len(p), nil
		}))
	}
	if _, err := build.Build(ctx, req); !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want that it was cancelled", err)
	}
	if left, err := os.ReadDir(req.Work); err != nil || len(left) > 0 {
		t.Errorf("after the build the folder for work has %v, %v", left, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestProgress is told the steps, the output of commands, and notes.
func TestProgress(t *testing.T) {
	t.Parallel()
	req := runRequest(t, runDir(t, map[string]string{"Dockerfile": shell + "RUN echo hello\nMAINTAINER me\n"}))
	var (
		mu    sync.Mutex
		steps []string
		notes []string
		text  strings.Builder
	)
	req.Progress = func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
		mu.Lock()
		steps = append(steps, title)
		mu.Unlock()
		return fn(ctx, writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return text.Write(p)
		}))
	}
	req.Note = func(note string) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, note)
	}
	buildImage(t, req)
	if !slices.Contains(steps, "[3/3] RUN echo hello") || text.String() != "hello\n" {
		t.Errorf("steps are %q with the output %q", steps, text.String())
	}
	if len(notes) != 2 || !strings.HasPrefix(notes[0], "Dockerfile:5: ") || !strings.HasPrefix(notes[1], "Commands run with ") {
		t.Errorf("notes are %q", notes)
	}
}

// TestEmptyLayers compares the history with the layers.
func TestEmptyLayers(t *testing.T) {
	t.Parallel()
	req := runRequest(t, runDir(t, map[string]string{"Dockerfile": shell + "ENV A=1\nWORKDIR /bin\nRUN true\nCMD a\n"}))
	image := buildImage(t, req)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var empty []bool
	for _, h := range config.History {
		empty = append(empty, h.EmptyLayer)
		if !h.Created.Equal(config.Created.Time) {
			t.Errorf("%q is of %v", h.CreatedBy, h.Created)
		}
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{false, false, true, false, false, true}, empty); diff != "" || len(layers) != 4 {
		t.Errorf("there are %d layers; empty (-want +got):\n%s", len(layers), diff)
	}
	if want := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); !config.Created.Equal(want) {
		t.Errorf("the image is of %v, want %v", config.Created, want)
	}
}
