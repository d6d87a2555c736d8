package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Git fetches the files of repositories over HTTP.
type Git struct {
	// Login is asked for the credentials of a host. It is nil where nobody
	// signs in, and an empty password is none.
	Login func(ctx context.Context, host string) (user string, password secret.Text, err error)
}

// Commit is what a source means at present.
type Commit struct {
	Hash string
	ref  plumbing.ReferenceName // that leads to it; "" where the source names a hash
}

// repository is a source, as build steps name it.
type repository struct {
	url              *url.URL // without user and password
	user             *url.Userinfo
	ref, subfolder   string
	checksum         string
	keepGit          bool
	withoutSubmodule bool
}

// parseGit reads a source and its attributes.
func parseGit(identifier string, attributes map[string]string) (repository, error) {
	location, fragment, _ := strings.Cut(strings.TrimPrefix(identifier, "git://"), "#")
	var r repository
	r.ref, r.subfolder, _ = strings.Cut(fragment, ":")
	r.subfolder = strings.TrimPrefix(path.Clean("/"+r.subfolder), "/")
	address := "https://" + location
	for key, value := range attributes {
		switch key {
		case pb.AttrFullRemoteURL:
			address = value
		case pb.AttrGitChecksum:
			r.checksum = value
		case pb.AttrKeepGitDir:
			r.keepGit = value == "true"
		case pb.AttrGitSkipSubmodules:
			r.withoutSubmodule = value == "true"
		case pb.AttrAuthHeaderSecret, pb.AttrAuthTokenSecret, pb.AttrKnownSSHHosts, pb.AttrMountSSHSock, pb.AttrGitFetchByCommit, pb.AttrGitAdvice, pb.AttrGitMTime:
			// Who signs in is the caller's matter, the others say how to be fast.
		default:
			return repository{}, refused(fmt.Sprintf("%q is nothing that this build engine can ask a repository for.", key), nil)
		}
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		// Not the error, which repeats what may hold a password.
		return repository{}, refused("The URL of the git repository cannot be used: this build engine fetches repositories over https only. "+
			"Write it as https://HOST/OWNER/NAME.git#REF.", nil)
	}
	r.url, r.user = parsed, parsed.User
	r.url.User = nil
	return r, nil
}

// auth returns who signs in; nil is nobody. What the URL holds wins.
func (g Git) auth(ctx context.Context, r repository) (transport.AuthMethod, error) {
	if password, ok := r.user.Password(); ok || r.user.Username() != "" {
		return &githttp.BasicAuth{Username: r.user.Username(), Password: password}, nil
	}
	if g.Login == nil {
		return nil, nil
	}
	user, password, err := g.Login(ctx, r.url.Host)
	if err != nil {
		return nil, fmt.Errorf("signing in to %s: %w", r.url.Host, err)
	}
	revealed := password.Reveal()
	if revealed == "" {
		return nil, nil
	}
	return &githttp.BasicAuth{Username: user, Password: revealed}, nil
}

// Resolve says which commit a source means. It asks the server, but fetches
// nothing. A branch wins over a tag of the same name, as for git checkout.
func (g Git) Resolve(ctx context.Context, identifier string, attributes map[string]string) (Commit, error) {
	r, err := parseGit(identifier, attributes)
	if err != nil {
		return Commit{}, err
	}
	if plumbing.IsHash(r.ref) {
		return Commit{Hash: r.ref}, r.check(r.ref, r.ref)
	}
	auth, err := g.auth(ctx, r)
	if err != nil {
		return Commit{}, err
	}
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{r.url.String()}})
	refs, err := remote.ListContext(ctx, &git.ListOptions{Auth: auth, PeelingOption: git.AppendPeeled})
	if err != nil {
		return Commit{}, r.explain(err)
	}
	return r.choose(refs)
}

// choose finds the reference that is meant.
func (r repository) choose(refs []*plumbing.Reference) (Commit, error) {
	known := map[plumbing.ReferenceName]*plumbing.Reference{}
	for _, ref := range refs {
		known[ref.Name()] = ref
	}
	candidates := []string{"HEAD"}
	if r.ref != "" {
		candidates = []string{"refs/" + strings.TrimPrefix(r.ref, "refs/"), "refs/heads/" + r.ref, "refs/tags/" + r.ref}
	}
	for _, candidate := range candidates {
		ref := known[plumbing.ReferenceName(candidate)]
		if ref == nil {
			continue
		}
		if ref.Type() == plumbing.SymbolicReference {
			if ref = known[ref.Target()]; ref == nil {
				continue
			}
		}
		commit := ref.Hash().String()
		if peeled := known[ref.Name()+"^{}"]; peeled != nil {
			commit = peeled.Hash().String()
		}
		return Commit{Hash: commit, ref: ref.Name()}, r.check(commit, ref.Hash().String())
	}
	return Commit{}, refused(fmt.Sprintf("The repository %s has neither a branch nor a tag %q.", r.url, r.ref), nil)
}

// check holds a commit and the tag that leads to it against the checksum.
func (r repository) check(commit, tag string) error {
	if r.checksum == "" || strings.HasPrefix(commit, r.checksum) || strings.HasPrefix(tag, r.checksum) {
		return nil
	}
	return refused(fmt.Sprintf("%q of the repository %s is the commit %s, but the Dockerfile wants %s. "+
		"If the repository was changed on purpose, write the new checksum.", r.ref, r.url, commit, r.checksum), nil)
}

// explain says what to do about an error of the transport.
func (r repository) explain(err error) error {
	if _, ok := errors.AsType[*diag.Problem](err); ok {
		return err
	}
	switch {
	case errors.Is(err, transport.ErrRepositoryNotFound), errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return refused(fmt.Sprintf("The repository %s is not there, or is not shown to us. Check its name, and that the job may read it.", r.url), err)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return refused(fmt.Sprintf("The repository %s is empty.", r.url), err)
	}
	return fmt.Errorf("fetching %s: %w", r.url, err)
}
