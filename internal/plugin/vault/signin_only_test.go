package vault_test

import (
	"strings"
	"testing"
)

// A read of no key signs in, and tells a token that is no good.
func TestSignInOnly(t *testing.T) {
	t.Parallel()
	for token, says := range map[string]string{"a-given-token": "", "no-such-token": "Token of Vault expired"} {
		fake := newFake()
		r := newRig(t, fake)
		r.env["VAULT_TOKEN"] = token
		_, err := r.must(addr).Read(t.Context(), nil)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("with the token %q: %v, want %q", token, err, says)
		}
		if asked := fake.asked(); len(asked) != 1 || asked[0] != "GET auth/token/lookup-self" {
			t.Errorf("requests %v, want one, which reads no secret", asked)
		}
	}
}
