package buildkit

import "testing"

// TestRefused finds in the words of different daemons what they refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"failed to load LLB: network.host is not allowed":                                       "network.host is not allowed",
		"failed to load LLB: security.insecure is not allowed":                                  "security.insecure is not allowed",
		`failed to load LLB: device vendor.com/gpu is requested by the build but not allowed`:   `device vendor.com/gpu is requested by the build but not allowed`,
		"process \"/bin/sh -c true\" did not complete successfully: exit code: 1":               "",
		"failed to create LLB definition: dockerfile parse error line 4: Unknown flag: network": "",
	} {
		if got := refusedRight(text); got != want {
			t.Errorf("refusedRight(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string][2]string{
		"failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 4: Unknown flag: network": {"4", "Unknown flag: network"},
		"dockerfile parse error on line 12: unknown flag: --securty (did you mean security?)":                                                {"12", "unknown flag: --securty"},
		"dockerfile parse error on line 2: unknown instruction: FETCH":                                                                       {"", ""},
	} {
		if line, what := unknownFlag(text); line != want[0] || what != want[1] {
			t.Errorf("unknownFlag(%q) = %q, %q, want %q", text, line, what, want)
		}
	}
}
