// Package actionscache gives tests GitHub's cache: the program's own client of it,
// and the stand-in for GitHub behind that. It decides nothing about what is kept.
package actionscache

import (
	"hash/crc32"
	"net/http"
	"testing"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// New returns a GitHub of one repository.
func New(t testing.TB) *githubfake.Fake {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop"})
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

// Of returns the cache as a run sees it that was started for a ref, such as
// "refs/heads/main".
func Of(t testing.TB, fake *githubfake.Fake, ref string) *github.Cache {
	t.Helper()
	return of(t, fake, githubfake.Run{ID: int64(crc32.ChecksumIEEE([]byte(ref))) + 1, Ref: ref})
}

// ReadOnly returns the cache of the default branch as a run sees it that may only
// read it, since it was started by an event that a stranger can cause.
func ReadOnly(t testing.TB, fake *githubfake.Fake) *github.Cache {
	t.Helper()
	return of(t, fake, githubfake.Run{ID: 1, ReadsOnly: true})
}

func of(t testing.TB, fake *githubfake.Fake, run githubfake.Run) *github.Cache {
	t.Helper()
	fake.AddRun(run)
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: "https://results.example.test", Token: secret.Text(fake.Token(run.ID, "build")),
		HTTP: &http.Client{Transport: fake}, Secrets: &secret.Set{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return service.Cache()
}
