package oidc_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/cloud/oidc"
	"github.com/deploy-action/deploy-action/internal/secret"
)

func TestRead(t *testing.T) {
	t.Parallel()
	token := func(payload string) secret.Text {
		return secret.Text("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2lnbmF0dXJl")
	}
	cases := map[string]struct {
		token secret.Text
		want  string
	}{
		"of a branch":     {token(`{"sub":"repo:acme/shop:ref:refs/heads/main","aud":"sts.amazonaws.com","ref":"refs/heads/main"}`), "sub repo:acme/shop:ref:refs/heads/main, aud sts.amazonaws.com, ref refs/heads/main"},
		"several readers": {token(`{"sub":"s","aud":["a","b"],"environment":"production"}`), "sub s, aud a, b, environment production"},
		"of a workflow":   {token(`{"sub":"s","job_workflow_ref":"acme/ci/.github/workflows/deploy.yml@v1"}`), "sub s, aud (none), job_workflow_ref acme/ci/.github/workflows/deploy.yml@v1"},
	}
	for name, c := range cases {
		if got, err := oidc.Read(c.token); err != nil || got.String() != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	for _, text := range []secret.Text{"", "hunter2hunter2", "a.hunter2!.c", token("[]")} {
		if _, err := oidc.Read(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a text that is no token: %v", err)
		}
	}
}
