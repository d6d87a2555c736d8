//go:build servers && linux

package sandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// The tests of this package run in containers as jobs have them: a default one,
// where nothing can be mounted, and one that may make user namespaces.
func TestInContainer(t *testing.T) {
	if os.Getenv("SANDBOX_RUNG") != "" {
		t.Skip("this is the container")
	}
	docker := servers.Docker(t)
	const image = "local/sandbox-test:1"
	docker.ImportOwn(t, image,
		servers.CompileStatic(t, "sandbox.test", "test", "-c", "-tags", "servers", "."),
		servers.CompileStatic(t, "hostile", "build", "-buildvcs=false", "./testdata/hostile"))
	cases := map[string]struct {
		rung sandbox.Rung
		args []string
	}{
		"default": {sandbox.Swap, nil},
		"unconfined": {
			sandbox.UserNamespace,
			[]string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{
				"run", "--rm", "--network", "none", "--ulimit", "core=0", "--env", "SANDBOX_RUNG=" + strconv.Itoa(int(c.rung)),
				"--env", "TMPDIR=" + own + "/tmp", "--env", "SANDBOX_HOSTILE=" + own + "/bin/hostile",
			}, c.args...)
			args = append(args, image, own+"/bin/sandbox.test", "-test.v", "-test.parallel=1", "-test.timeout=3m")
			cmd := exec.CommandContext(t.Context(), "docker", args...)
			cmd.Env = append(os.Environ(), "DOCKER_HOST="+docker.Host)
			output, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(output, []byte("--- PASS: TestSystem")) {
				t.Errorf("%v\n%s", err, output)
			}
			t.Logf("%d tests passed", bytes.Count(output, []byte("--- PASS")))
		})
	}
}
