package attest

import (
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/transport"
	attestation "github.com/in-toto/attestation/go/v1"
)

// source names the commit that is checked out in a folder, with the repository
// that it comes from; nil where the folder is in none.
func source(folder string, getenv func(string) string) *attestation.ResourceDescriptor {
	repository, err := git.PlainOpenWithOptions(folder, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if err != nil {
		return nil
	}
	head, err := repository.Head()
	if err != nil {
		return nil // without a commit yet
	}
	commit := head.Hash().String()
	found := &attestation.ResourceDescriptor{Name: "source", Digest: map[string]string{"gitCommit": commit}}
	remote, err := repository.Remote("origin")
	if err != nil || len(remote.Config().URLs) == 0 {
		return found
	}
	found.Uri = cleanURL(remote.Config().URLs[0])
	if ref := getenv("GITHUB_REF"); found.Uri != "" && ref != "" && getenv("GITHUB_SHA") == commit {
		found.Uri += "@" + ref
	}
	return found
}

// cleanURL returns where a repository is, without the login that its address may
// hold; "" where that is this machine.
func cleanURL(address string) string {
	endpoint, err := transport.NewEndpoint(address)
	if err != nil || endpoint.Host == "" || endpoint.Protocol == "file" {
		return ""
	}
	return "git+" + endpoint.Protocol + "://" + endpoint.Host + "/" + strings.TrimSuffix(strings.TrimPrefix(endpoint.Path, "/"), ".git")
}
