package oci_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	basic := func(user, password string) string {
		return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	}
	tests := map[string]struct {
		logins map[string]oci.Login
		env    map[string]string
		config string // Docker's config.json
		host   string
		want   oci.Login
	}{
		"nobody": {host: "ghcr.io"},
		"configuration wins": {
			logins: map[string]oci.Login{"ghcr.io": {Username: "a", Password: "1"}},
			env:    map[string]string{"REGISTRY_AUTH": "ghcr.io=b:2"},
			host:   "ghcr.io", want: oci.Login{Username: "a", Password: "1"},
		},
		"input": {
			env:    map[string]string{"REGISTRY_AUTH": "\n quay.io=x:y\nghcr.io=b:2:3\n", "GITHUB_TOKEN": "t"},
			config: `{"auths":{"ghcr.io":{"auth":"` + basic("c", "3") + `"}}}`,
			host:   "ghcr.io", want: oci.Login{Username: "b", Password: "2:3"},
		},
		"Docker's file": {
			env:    map[string]string{"GITHUB_TOKEN": "t"},
			config: `{"auths":{"https://ghcr.io/v2/":{"auth":"` + basic("c", "3") + `"}}}`,
			host:   "ghcr.io", want: oci.Login{Username: "c", Password: "3"},
		},
		"Docker Hub by any name": {
			config: `{"auths":{"https://index.docker.io/v1/":{"auth":"` + basic("c", "3") + `"}}}`,
			host:   "docker.io", want: oci.Login{Username: "c", Password: "3"},
		},
		"identity token": {
			config: `{"auths":{"acme.azurecr.io":{"identitytoken":"tok"}}}`,
			host:   "acme.azurecr.io", want: oci.Login{IdentityToken: "tok"},
		},
		"job's token": {
			env:  map[string]string{"GITHUB_TOKEN": "t"},
			host: "ghcr.io", want: oci.Login{Username: "x-access-token", Password: "t"},
		},
		"job's token goes to no other host": {
			env: map[string]string{"GITHUB_TOKEN": "t"}, host: "quay.io",
		},
		"helper of the host": {
			config: `{"credHelpers":{"ghcr.io":"fake"},"credsStore":"missing"}`,
			host:   "ghcr.io", want: oci.Login{Username: "helped", Password: "clean:ghcr.io"},
		},
		"helper for all": {
			config: `{"credsStore":"fake"}`,
			host:   "docker.io", want: oci.Login{Username: "helped", Password: "clean:https://index.docker.io/v1/"},
		},
		"helper that knows nothing": {
			config: `{"credsStore":"fake","auths":{"unknown.example":{"auth":"` + basic("c", "3") + `"}}}`,
			host:   "unknown.example", want: oci.Login{Username: "c", Password: "3"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := credentials(t, test.logins, test.env, test.config).Lookup(t.Context(), test.host)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("Lookup(%q) = %s %s, want %s %s", test.host, got.Username, got.Password.Reveal(), test.want.Username, test.want.Password.Reveal())
			}
		})
	}
}

func TestLookupProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env             map[string]string
		config          string
		summary, detail string
	}{
		"unreadable input":  {map[string]string{"REGISTRY_AUTH": "ghcr.io=a:1\nhunter2"}, "", "Unreadable registry-auth", "Line 2"},
		"unreadable file":   {nil, "{", "Unreadable Docker configuration", "config.json"},
		"helper is missing": {nil, `{"credsStore":"missing"}`, "Missing credential helper", "docker-credential-missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := credentials(t, nil, test.env, test.config).Lookup(t.Context(), "ghcr.io")
			checkProblem(t, err, test.summary, test.detail)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// What was kept of Docker's file is believed, whatever is there later.
func TestKeepDockerConfig(t *testing.T) {
	t.Parallel()
	const config = `{"auths":{"ghcr.io":{"identitytoken":"tok"}}}`
	for name, test := range map[string]struct{ before, after, want string }{
		"emptied": {config, "", "tok"},
		"planted": {"", config, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := credentials(t, nil, nil, test.before)
			c.DockerConfig = oci.KeepDockerConfig(c.Getenv)
			if err := os.WriteFile(oci.DockerConfigPath(c.Getenv), []byte(test.after), 0o600); err != nil {
				t.Fatal(err)
			}
			login, err := c.Lookup(t.Context(), "ghcr.io")
			if err != nil || login.IdentityToken.Reveal() != test.want {
				t.Errorf("Lookup = %q, %v; want %q", login.IdentityToken.Reveal(), err, test.want)
			}
		})
	}
}

// helper answers with the server it was asked for, and says whether it saw
// only the environment that it should.
const helper = `#!/bin/sh
read -r server
[ "$server" = unknown.example ] && { echo "credentials not found in native keychain"; exit 1; }
state=clean
[ -n "$GITHUB_TOKEN" ] && state=leaked
echo "{\"ServerURL\":\"$server\",\"Username\":\"helped\",\"Secret\":\"$state:$server\"}"
`

func credentials(t *testing.T, logins map[string]oci.Login, env map[string]string, config string) oci.Credentials {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-fake"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return oci.Credentials{
		Logins: logins,
		Getenv: func(name string) string {
			switch name {
			case "DOCKER_CONFIG", "PATH":
				return dir
			}
			return env[name]
		},
		Environ: func() []string { return []string{"PATH=/usr/bin:/bin"} },
	}
}

func TestParseEncodedAuth(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte(`{"username":"u","password":"p>>>?"}`))
	for name, text := range map[string]string{
		"standard": encoded,
		"url":      strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(encoded), "="),
	} {
		login, err := oci.ParseEncodedAuth(secret.Text(text))
		if err != nil || login.Username != "u" || login.Password != "p>>>?" {
			t.Errorf("%s: ParseEncodedAuth = %s, %v", name, login.Username, err)
		}
	}
	for name, text := range map[string]string{"no base64": "%%%", "no JSON": base64.StdEncoding.EncodeToString([]byte("hunter2"))} {
		_, err := oci.ParseEncodedAuth(secret.Text(text))
		checkProblem(t, err, "Unreadable encoded_auth", "base64")
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
}
