package sandbox_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// BenchmarkRun is what a command costs beside itself.
func BenchmarkRun(b *testing.B) {
	root := busyboxRoot(b)
	for _, rung := range []sandbox.Rung{sandbox.Mounts, sandbox.UserNamespace} {
		box, err := sandbox.Open(b.Context(), sandbox.Options{Work: b.TempDir(), Only: rung})
		if err != nil {
			b.Skipf("this machine does not permit it: %v", err)
		}
		b.Run(rung.String(), func(b *testing.B) {
			for b.Loop() {
				if err := box.Run(b.Context(), sandbox.Command{Root: root, Args: []string{"/bin/true"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
