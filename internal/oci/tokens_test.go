package oci_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// TestPushWithTokens signs in to a registry that takes tokens only.
func TestPushWithTokens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		login oci.Login
		fails bool
	}{
		"a user's password is exchanged":   {oci.Login{Username: "robot", Password: "hunter2"}, false},
		"an identity token is exchanged":   {oci.Login{IdentityToken: "identity"}, false},
		"a registry's token is sent as is": {oci.Login{RegistryToken: "access"}, false},
		"a wrong password":                 {oci.Login{Username: "robot", Password: "wrong"}, true},
		"a wrong identity token":           {oci.Login{IdentityToken: "wrong"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, nil)
			registry.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					user, password, _ := r.BasicAuth()
					if user == "robot" && password == "hunter2" ||
						r.PostFormValue("grant_type") == "refresh_token" && r.PostFormValue("refresh_token") == "identity" {
						fmt.Fprint(w, `{"access_token":"access","token":"access"}`)
					} else {
						w.WriteHeader(http.StatusUnauthorized)
					}
					return true
				}
				if r.Header.Get("Authorization") == "Bearer access" {
					return false
				}
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, registry.host))
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			registry.client.Credentials.Logins = map[string]oci.Login{registry.host: test.login}
			image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
			_, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
			if test.fails {
				checkProblem(t, err, "Registry "+registry.host+" refused access", "wrong")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
