package app_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// A hook gets keys of the role where it says so, and nothing of the cloud where
// it does not. The keys are kept from the log.
func TestHookIdentity(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/deploy"
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"repo:acme/shop:environment:production"}`)) + ".c2lnbmF0dXJl"
	j := newJob(t, `project = "shop"

auth "aws" {
  role   = "`+role+`"
  region = "eu-west-1"
}

app "web" {
  build {
    use "null" {}
  }
  deploy {
    hook {
      when     = "before"
      command  = ["sh", "-c", "env > with; echo shown $AWS_SECRET_ACCESS_KEY"]
      identity = true
    }
    hook {
      when    = "before"
      command = ["sh", "-c", "env > without"]
    }
    use "null" {}
  }
}
`)
	j.inputs = []string{
		"ACTIONS_ID_TOKEN_REQUEST_URL=https://token.example.test/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=bearer-of-the-request",
		"AWS_ACCESS_KEY_ID=AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY=secret-of-the-environment",
	}
	j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
		switch r.URL.Host {
		case "token.example.test":
			return &githubfake.Refusal{Status: http.StatusOK, Body: `{"value":"` + token + `"}`}
		case "sts.eu-west-1.amazonaws.com":
			return tokenService(r, role)
		}
		return nil
	})
	status, log := j.run(t, "deploy-action")
	if status != 0 {
		t.Fatalf("exit status %d:\n%s", status, log)
	}
	seen := func(name string) string {
		text, err := os.ReadFile(filepath.Join(j.workspace, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{"AWS_ACCESS_KEY_ID=ASIA1\n", "AWS_SECRET_ACCESS_KEY=kept-from-all\n", "AWS_SESSION_TOKEN=kept-as-well\n", "AWS_REGION=eu-west-1\n"} {
		if !strings.Contains(seen("with"), want) {
			t.Errorf("the hook with identity lacks %q:\n%s", want, seen("with"))
		}
	}
	for name, banned := range map[string][]string{
		"with":    {"AKIAENVIRONMENT", "secret-of-the-environment", "bearer-of-the-request", token},
		"without": {"AWS_", "ASIA1", "bearer-of-the-request", token},
	} {
		for _, text := range banned {
			if strings.Contains(seen(name), text) {
				t.Errorf("the hook %s identity sees %q:\n%s", name, text, seen(name))
			}
		}
	}
	if !strings.Contains(log, "shown ***") || strings.Contains(log, "shown kept") || !strings.Contains(log, "the keys in the environment are not used") {
		t.Errorf("the log:\n%s", log)
	}
}
