package servers

import "testing"

// Packer returns the path of the command packer, or ends the test.
func Packer(t *testing.T) string {
	t.Helper()
	return program(t, "packer", "packer")
}
