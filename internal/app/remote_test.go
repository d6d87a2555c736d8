package app

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

// TestHosted looks inside, for a host that is not here cannot be asked.
func TestHosted(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]string{
		"https://github.com/acme/shop.git":                   {"https://api.github.com", "acme/shop"},
		"https://github.com/acme/shop":                       {"https://api.github.com", "acme/shop"},
		"https://user:secret@github.com/acme/shop.git/":      {"https://api.github.com", "acme/shop"},
		"git@github.com:acme/shop.git":                       {"https://api.github.com", "acme/shop"},
		"ssh://git@github.com/acme/shop.git":                 {"https://api.github.com", "acme/shop"},
		"ssh://git@ssh.github.com:443/acme/shop.git":         {"https://api.github.com", "acme/shop"},
		"git://GitHub.com/acme/shop.js.git":                  {"https://api.github.com", "acme/shop.js"},
		"https://octo.ghe.com/acme/shop":                     {"https://api.octo.ghe.com", "acme/shop"},
		"git@octo.ghe.com:acme/shop.git":                     {"https://api.octo.ghe.com", "acme/shop"},
		"https://git.example.com/acme/shop.git":              {"https://git.example.com/api/v3", "acme/shop"},
		"https://git.example.com:8443/acme/shop.git":         {"https://git.example.com:8443/api/v3", "acme/shop"},
		"http://127.0.0.1:8080/acme/shop":                    {"http://127.0.0.1:8080/api/v3", "acme/shop"},
		"git@git.example.com:acme/shop.git":                  {"https://git.example.com/api/v3", "acme/shop"},
		"ssh://git@git.example.com:2222/acme/shop.git":       {"https://git.example.com/api/v3", "acme/shop"},
		"https://git.example.com/deep/group/shop.git":        {},
		"https://github.com/acme":                            {},
		"https://github.com//shop":                           {},
		"/srv/git/acme/shop.git":                             {},
		"../shop":                                            {},
		"":                                                   {},
		"https://dev.azure.example.com/org/project/_git/one": {},
	} {
		if api, repository := hosted(address); [2]string{api, repository} != want {
			t.Errorf("hosted(%q) = %q, %q, want %q", address, api, repository, want)
		}
	}
}

// TestRepositoryAt prefers what the environment says to the remote.
func TestRepositoryAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	repository, err := git.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.CreateRemote(&gitconfig.RemoteConfig{Name: "origin", URLs: []string{"git@git.example.com:acme/shop.git"}}); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "apps", "web")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir             string
		environ         []string
		api, repository string
	}{
		"the remote":              {below, nil, "https://git.example.com/api/v3", "acme/shop"},
		"an API of the user's":    {below, []string{"GITHUB_API_URL=https://proxy.example.com"}, "https://proxy.example.com", "acme/shop"},
		"a repository by name":    {below, []string{"GITHUB_REPOSITORY=octo/hello"}, "https://api.github.com", "octo/hello"},
		"no repository":           {t.TempDir(), nil, "", ""},
		"a job, whatever is here": {below, []string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=octo/hello"}, "https://api.github.com", "octo/hello"},
	} {
		m := &machine{getenv: lookup(c.environ)}
		m.runner = workflow.New(m.getenv, io.Discard)
		if got := m.repositoryAt(c.dir); got.APIURL != c.api || got.Repository != c.repository {
			t.Errorf("%s: %q at %q, want %q at %q", name, got.Repository, got.APIURL, c.repository, c.api)
		}
	}
}
