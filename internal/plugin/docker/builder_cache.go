package docker

import (
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// checkCacheRepo checks the attribute cache_repo.
func checkCacheRepo(c BuilderConfig) error {
	if c.CacheRepo == "" {
		return nil
	}
	if err := oci.CheckRepository(c.CacheRepo); err != nil {
		return &diag.Problem{
			Summary: "Invalid cache_repo",
			Detail: fmt.Sprintf("%q is not the name of a repository. Write it as HOST/PATH in lower case and without a tag, "+
				"for example \"ghcr.io/acme/web-cache\".", c.CacheRepo),
			Attr: "cache_repo",
			Err:  err,
		}
	}
	return nil
}

// remoteCache says where in a registry the results of steps are; nil for
// nowhere. Only a build whose image goes to the repository target writes them:
// a plan, which has none, changes nothing outside the job.
func (b *builder) remoteCache(target *artifact.Repository) *build.RemoteCache {
	if b.cfg.CacheRepo == "" {
		return nil
	}
	scope := b.host.CacheScope
	remote := &build.RemoteCache{Repository: artifact.Repository{Name: b.cfg.CacheRepo}, Read: scope.Read}
	if target == nil {
		return remote
	}
	remote.Write = scope.Write
	if oci.Host(target.Name) == oci.Host(b.cfg.CacheRepo) {
		remote.Repository.Insecure, remote.Repository.Login = target.Insecure, target.Login
	}
	return remote
}

// githubCache says how GitHub's cache keeps the results of steps; nil for not at
// all. As with a registry, only a build whose image is pushed writes them.
func (b *builder) githubCache(req component.BuildRequest, note func(string)) *build.GitHubCache {
	switch {
	case !b.cfg.CacheActions:
		return nil
	case b.host.ActionsCache == nil:
		note("cache_actions is without effect here: GitHub's cache is there only for an action's step in a job, and not on GitHub Enterprise Server")
		return nil
	}
	cache := &build.GitHubCache{
		Entries: b.host.ActionsCache,
		Name:    req.App.Project + "/" + req.App.Name,
		Read:    b.host.CacheScope.Read,
		Target:  req.Repository,
	}
	if req.Repository != nil {
		cache.Write = b.host.CacheScope.Write
	}
	return cache
}
