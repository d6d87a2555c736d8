package app

import (
	"cmp"
	"net"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// repositoryAt is what the runner tells of the job. On a terminal it is the
// repository alone: what the environment names, or else the remote `origin` of
// the git repository around dir.
func (m *machine) repositoryAt(dir string) workflow.Context {
	c := m.runner.Context()
	if m.runner.Active() || c.Repository != "" {
		return c
	}
	api, repository := hosted(originURL(dir))
	c.Repository = repository
	if m.getenv("GITHUB_API_URL") == "" {
		c.APIURL = api
	}
	return c
}

// token is what GitHub knows us by: that of the job, or of the user.
func (m *machine) token() secret.Text {
	if m.runner.Active() {
		return secret.Text(m.getenv("GITHUB_TOKEN"))
	}
	return secret.Text(cmp.Or(m.getenv("GITHUB_TOKEN"), m.getenv("GH_TOKEN")))
}

// originURL returns the address of the remote `origin`; "" where there is none.
func originURL(dir string) string {
	repository, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return ""
	}
	remote, err := repository.Remote("origin")
	if err != nil || len(remote.Config().URLs) == 0 {
		return ""
	}
	return remote.Config().URLs[0]
}

// hosted returns the address of the API and the name, owner/name, of a
// repository whose clones come from address. Both are "" where that is no
// repository of a GitHub.
func hosted(address string) (api, repository string) {
	endpoint, err := transport.NewEndpoint(address)
	if err != nil || endpoint.Host == "" {
		return "", ""
	}
	name := strings.TrimSuffix(strings.Trim(endpoint.Path, "/"), ".git")
	if owner, rest, found := strings.Cut(name, "/"); !found || owner == "" || rest == "" || strings.Contains(rest, "/") {
		return "", ""
	}
	switch host := strings.ToLower(endpoint.Host); {
	case host == "github.com" || host == "ssh.github.com" || host == "www.github.com":
		return "https://api.github.com", name
	case strings.HasSuffix(host, ".ghe.com"): // with data residency
		return "https://api." + host, name
	case endpoint.Protocol == "http" || endpoint.Protocol == "https":
		return endpoint.Protocol + "://" + withPort(endpoint) + "/api/v3", name
	default: // the port of ssh is not that of the API
		return "https://" + host + "/api/v3", name
	}
}

func withPort(e *transport.Endpoint) string {
	if e.Port == 0 || e.Port == 80 && e.Protocol == "http" || e.Port == 443 && e.Protocol == "https" {
		return e.Host
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}
