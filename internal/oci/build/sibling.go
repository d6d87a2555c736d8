package build

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/build/sibling"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// handToSibling has this engine build the image in another container, from where
// [ServeSibling] asks for what it needs.
func handToSibling(ctx context.Context, req Request) (Result, error) {
	order := sibling.Order{
		Root: req.Root, Context: req.Context, Dockerfile: req.Dockerfile,
		Target: req.Target, Args: req.Args, Labels: req.Labels, Secrets: req.Secrets, Platform: req.Platform, NoCache: req.NoCache,
		Time: req.Time, KeepTimes: req.KeepTimes,
		Layout: req.Layout.Dir(), KeepBase: req.KeepBase, Steps: req.Steps, Caches: req.Caches,
	}
	order.Compression, order.Level = req.Layout.Compression()
	help := sibling.Help{Login: req.Client.Credentials.Lookup, Progress: req.Progress, Note: req.Note}
	if req.Ahead != nil {
		help.Written = func(layer oci.Layer) { req.Ahead.Send(ctx, layer) }
	}
	if remote := req.Remote; remote != nil {
		repository := remote.Repository
		order.Remote = &sibling.Remote{
			Name: repository.Name, Insecure: repository.Insecure, SignsIn: repository.Login != nil, Read: remote.Read, Write: remote.Write,
		}
		help.Login = func(ctx context.Context, host string) (oci.Login, error) {
			if host != "" || repository.Login == nil {
				return req.Client.Credentials.Lookup(ctx, host)
			}
			user, password, err := repository.Login(ctx)
			return oci.Login{Username: user, Password: password}, err
		}
	}
	built, err := req.Sibling.Build(ctx, order, help)
	result := Result{Digest: built.Digest, Architecture: built.Architecture}
	for _, name := range slices.Sorted(maps.Keys(built.Bases)) {
		result.Bases = append(result.Bases, Base{name, built.Bases[name]})
	}
	return result, err
}

// ServeSibling is this program in the container that [Request.Sibling] makes: it
// builds what it reads from in, and writes to out what comes of it. Client makes
// a client that reads images, by variables of the program that asks.
func ServeSibling(ctx context.Context, in io.Reader, out io.Writer, client func(environ []string) (*http.Client, error)) error {
	return sibling.Serve(ctx, in, out, func(ctx context.Context, order sibling.Order, caller *sibling.Caller) (sibling.Result, error) {
		through, err := client(order.Environ)
		if err != nil {
			return sibling.Result{}, err
		}
		req, err := ordered(order, caller)
		if err != nil {
			return sibling.Result{}, err
		}
		req.Client.HTTP = through
		built, err := Build(ctx, req)
		result := sibling.Result{Digest: built.Digest, Architecture: built.Architecture, Bases: map[string]string{}}
		for _, base := range built.Bases {
			result.Bases[base.Name] = base.Digest
		}
		return result, err
	})
}

// ordered is the request of an order. Commands run in namespaces of their own, or
// not at all: this container has the workspace, which they are not to see.
func ordered(order sibling.Order, caller *sibling.Caller) (Request, error) {
	layout, err := oci.OpenLayout(order.Layout)
	if err != nil {
		return Request{}, fmt.Errorf("opening what the workspace has for the image: %w", err)
	}
	layout.Compress(order.Compression, order.Level)
	req := Request{
		Root: order.Root, Context: order.Context, Dockerfile: order.Dockerfile,
		Target: order.Target, Args: order.Args, Labels: order.Labels, Secrets: order.Secrets, Platform: order.Platform, NoCache: order.NoCache,
		Time: order.Time, KeepTimes: order.KeepTimes,
		Layout: layout, KeepBase: order.KeepBase, Steps: order.Steps, Caches: order.Caches,
		Client: oci.Client{Credentials: oci.Credentials{Ask: caller.Login}}, Rung: sandbox.Mounts,
		Progress: caller.Progress, Note: caller.Note, written: caller.Written,
	}
	if remote := order.Remote; remote != nil {
		req.Remote = &RemoteCache{Repository: artifact.Repository{Name: remote.Name, Insecure: remote.Insecure}, Read: remote.Read, Write: remote.Write}
		if remote.SignsIn {
			req.Remote.Repository.Login = func(ctx context.Context) (string, secret.Text, error) {
				login, err := caller.Login(ctx, "")
				return login.Username, login.Password, err
			}
		}
	}
	return req, nil
}
