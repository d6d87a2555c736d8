package oci_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// A registry is shown the login, and nothing is written.
func TestSignIn(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if _, password, _ := r.BasicAuth(); password == "right-one" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	for password, refused := range map[secret.Text]bool{"right-one": false, "wrong-one": true} {
		client := registry.client
		client.Credentials = oci.Credentials{Logins: map[string]oci.Login{registry.host: {Username: "me", Password: password}}}
		known, err := client.SignIn(t.Context(), artifact.Repository{Name: registry.host + "/acme/web"})
		if !known || refused != (err != nil) || refused && !strings.Contains(err.Error(), "refused access") {
			t.Errorf("SignIn(%s) = %v, %v, want an error: %v", password, known, err, refused)
		}
	}
	if n := registry.writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
}
