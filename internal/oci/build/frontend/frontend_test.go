package frontend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/deploy-action/deploy-action/internal/diag"
)

var amd64 = ocispecs.Platform{OS: "linux", Architecture: "amd64"}

// request asks for a Dockerfile whose base images all have the same
// configuration, but for one that nobody has.
func request(dockerfile string) Request {
	return Request{
		Name: "Dockerfile", Content: []byte(dockerfile), Platform: amd64, Machine: amd64,
		Resolve: func(_ context.Context, image string, p ocispecs.Platform) (string, []byte, error) {
			if strings.Contains(image, "missing") {
				return "", nil, &diag.Problem{Summary: "Image not found", Detail: "There is no such image."}
			}
			config := fmt.Sprintf(`{"os": "linux", "architecture": %q, "config": {"Env": ["PATH=/bin"], "OnBuild": ["ENV BUILT=on"]},
				"rootfs": {"type": "layers", "diff_ids": ["sha256:%064d"]}}`, p.Architecture, 1)
			return fmt.Sprintf("sha256:%064d", 7), []byte(config), nil
		},
	}
}

// TestConvert looks at the steps of a Dockerfile with several stages, one of
// which is not needed.
func TestConvert(t *testing.T) {
	t.Parallel()
	result, err := Convert(t.Context(), request(`FROM golang AS build
COPY go.mod ./
RUN <<EOF
go build
EOF
FROM missing AS unused
RUN true
FROM scratch
COPY --from=build /app /
ENTRYPOINT ["/app"]
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range result.Graph.Steps {
		got = append(got, fmt.Sprintf("%s %v", s.Name, s.Lines))
	}
	want := []string{
		fmt.Sprintf("[build 1/3] FROM docker.io/library/golang:latest@sha256:%064d [{1 1}]", 7),
		" []",
		"[build 2/4] COPY go.mod ./ [{2 2}]",
		"[build 3/4] RUN <<EOF (go build) [{3 3} {4 4} {5 5}]",
		"[stage-2 1/1] COPY --from=build /app / [{9 9}]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if last := result.Graph.Steps[len(want)-1]; result.Graph.Result.Step != last || last.Inputs[0].Step != result.Graph.Steps[3] {
		t.Errorf("the result is %+v", result.Graph.Result)
	}
	if result.Image.Config.Entrypoint[0] != "/app" || len(result.Image.History) != 2 {
		t.Errorf("image = %+v", result.Image)
	}
}

// TestOnBuild has the base image add to the build.
func TestOnBuild(t *testing.T) {
	t.Parallel()
	result, err := Convert(t.Context(), request("FROM busybox\n"))
	if err != nil || !cmp.Equal(result.Image.Config.Env, []string{"PATH=/bin", "BUILT=on"}) {
		t.Errorf("Convert() = %+v, %v", result.Image.Config, err)
	}
}

// TestProblems converts Dockerfiles that are wrong.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dockerfile, want string }{
		"empty":           {"", "Dockerfile:1: Only ARG may stand before FROM"},
		"comments alone":  {"# nothing\n", "Dockerfile:1: "},
		"no FROM":         {"ARG A=1\nCOPY a b\n", "Dockerfile:2: Only ARG may stand before FROM"},
		"unknown":         {"FROM scratch\nCPY a b\n", `Dockerfile:2: There is no instruction "CPY". Did you mean "COPY"?`},
		"missing base":    {"ARG X=1\nFROM missing\nRUN a\n", "Dockerfile:2: There is no such image."},
		"unknown stage":   {"FROM scratch\nCOPY --from=missing /a /\n", "There is no such image."},
		"COPY of nothing": {"FROM scratch\nCOPY a\n", "Dockerfile:2: COPY requires at least two arguments"},
		"bad heredoc":     {"FROM scratch\nRUN <<EOF\nhello\n", "Dockerfile:2: Unterminated heredoc"},
		"loop":            {"FROM a AS a\nCOPY --from=a / /\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Convert(t.Context(), request(c.dockerfile))
			p, ok := errors.AsType[*diag.Problem](err)
			if !ok || !strings.Contains(p.Detail, c.want) {
				t.Errorf("Convert() = %v, want a problem with %q", err, c.want)
			}
		})
	}
}

// TestTarget chooses a stage that is not there.
func TestTarget(t *testing.T) {
	t.Parallel()
	req := request("FROM scratch AS build\nFROM scratch\n")
	req.Target = "biuld"
	_, err := Convert(t.Context(), req)
	if p, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(p.Detail, "biuld") {
		t.Errorf("Convert() = %v, want a problem that names the stage", err)
	}
}

// TestWarnings are told with their lines.
func TestWarnings(t *testing.T) {
	t.Parallel()
	result, err := Convert(t.Context(), request("FROM scratch AS Build\nMAINTAINER me\n"))
	if err != nil || len(result.Warnings) < 2 || result.Warnings[0].Line == 0 || result.Warnings[0].URL == "" {
		t.Errorf("Convert() = %+v, %v, want warnings", result.Warnings, err)
	}
}
