package vault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// readsAtOnce is how many paths are read at the same time.
const readsAtOnce = 4

// sourcer reads from one Vault, as one identity. Safe for concurrent use.
type sourcer struct {
	host       component.Host
	client     *client
	login      *login      // nil where a token is given
	token      secret.Text // the one that is given; "" where an agent has one
	keepLeases bool
	renewals   renewals

	mu       sync.Mutex
	ready    bool               // the client has its token
	ours     bool               // it was signed in for, and is to be revoked
	policies []string           // of a token that was signed in for, for messages
	answers  map[string]*answer // by the path that was asked for
	mounts   []engine           // nil until they are needed; see listMounts
}

var _ component.Sourcer = (*sourcer)(nil)

func openSourcer(h component.Host, c SourcerConfig) (component.Sourcer, error) {
	s, err := resolve(c, h.Getenv)
	if err != nil {
		return nil, err
	}
	l, token, err := signIn(h, s)
	if err != nil {
		return nil, err
	}
	made, err := newClient(h, s)
	if err != nil {
		return nil, err
	}
	return &sourcer{host: h, client: made, login: l, token: token, keepLeases: s.KeepLeases, answers: map[string]*answer{}}, nil
}

// Read implements [component.Sourcer]. Each path is read once.
func (s *sourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(keys) == 0 {
		return nil, s.signIn(ctx)
	}
	readings := make([]component.Reading, len(keys))
	var paths []string
	for i, key := range keys {
		readings[i].Err = checkParams(key)
		if path := pathOf(key); readings[i].Err == nil && !slices.Contains(paths, path) && s.answers[path] == nil {
			paths = append(paths, path)
		}
	}
	failures, err := s.readPaths(ctx, paths)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	for i, key := range keys {
		if readings[i].Err != nil {
			continue
		}
		path := pathOf(key)
		if readings[i].Err = failures[path]; readings[i].Err == nil {
			readings[i].Text, readings[i].Err = s.answers[path].value(key)
		}
	}
	return readings, nil
}

// signIn signs in and reads nothing. A token that was given is shown to Vault,
// for nobody has tried it yet; one that may not look at itself is good.
func (s *sourcer) signIn(ctx context.Context) error {
	if err := s.authenticate(ctx); err != nil || s.login != nil {
		return err
	}
	err := s.client.try(ctx, func(ctx context.Context) error {
		_, err := s.client.Auth().Token().LookupSelfWithContext(ctx)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.concernsAll(err)
}

// readPaths reads the paths into s.answers. What is wrong with one of them is
// among the failures; the error is for what concerns them all.
func (s *sourcer) readPaths(ctx context.Context, paths []string) (failures map[string]error, err error) {
	if len(paths) == 0 {
		return nil, nil
	}
	if err := s.authenticate(ctx); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(paths, needsMounts) {
		if err := s.listMounts(ctx); err != nil {
			return nil, err
		}
	}
	found := make([]result, len(paths))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i, path := range paths {
		group.Go(func() (err error) {
			found[i], err = s.read(groupCtx, path)
			return err
		})
	}
	err = group.Wait()
	failures = map[string]error{}
	for i, path := range paths {
		switch {
		case found[i].answer != nil:
			s.answers[path] = found[i].answer
			s.keep(ctx, found[i].answer)
		case err == nil:
			failures[path] = s.pathProblem(ctx, path, found[i])
		}
	}
	return failures, err
}

// authenticate gives the client its token, once.
func (s *sourcer) authenticate(ctx context.Context) error {
	if s.ready {
		return nil
	}
	if s.login == nil {
		s.client.SetToken(s.token.Reveal())
		s.ready = true
		return nil
	}
	return s.host.Progress.Step(ctx, "Signing in to Vault at "+s.client.address, func(ctx context.Context, step component.Step) error {
		auth, err := s.login.send(ctx, s.client)
		if err != nil {
			return err
		}
		s.host.Mask(secret.Text(auth.ClientToken))
		s.client.SetToken(auth.ClientToken)
		s.ready, s.ours, s.policies = true, !isBatch(auth.ClientToken), auth.Policies
		step.Update("with the method %q at %q", s.login.method, s.login.mount)
		if auth.Renewable {
			s.renewals.start(ctx, seconds(auth.LeaseDuration), s.host.Log.With("vault", "token"), func(ctx context.Context) (time.Duration, error) {
				renewed, err := s.client.Auth().Token().RenewSelfWithContext(ctx, 0)
				if err != nil || renewed == nil || renewed.Auth == nil {
					return 0, err
				}
				return seconds(renewed.Auth.LeaseDuration), nil
			})
		}
		return nil
	})
}

// keep renews the lease of an answer while the run lasts.
func (s *sourcer) keep(ctx context.Context, a *answer) {
	if a.lease == "" || !a.renewable {
		return
	}
	s.renewals.start(ctx, a.duration, s.host.Log.With("vault", a.path), func(ctx context.Context) (time.Duration, error) {
		renewed, err := s.client.Sys().RenewWithContext(ctx, a.lease, 0)
		if err != nil || renewed == nil {
			return 0, err
		}
		return seconds(renewed.LeaseDuration), nil
	})
}

// Close implements [component.Sourcer]. It revokes the token that was signed
// in for, and with it its leases.
func (s *sourcer) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewals.stop()
	leases := s.leases()
	switch {
	case !s.ours:
		return nil
	case len(leases) > 0 && s.keepLeases:
		s.host.Log.Debug("the token of Vault is left to expire, since keep_leases is set", "leases", leases)
		return nil
	case len(leases) == 0:
		return s.revoke(ctx)
	}
	return s.host.Progress.Step(ctx, "Revoking what Vault lent", func(ctx context.Context, step component.Step) error {
		step.Update("%s; keep_leases = true would leave it to a deployed app", strings.Join(leases, ", "))
		return s.revoke(ctx)
	})
}

// leases returns the paths whose values were lent, sorted.
func (s *sourcer) leases() []string {
	var paths []string
	for path, a := range s.answers {
		if a.lease != "" {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// revoke ends the token that was signed in for.
func (s *sourcer) revoke(ctx context.Context) error {
	err := s.client.try(ctx, func(ctx context.Context) error {
		return s.client.Auth().Token().RevokeSelfWithContext(ctx, "") // the client's own token, whatever is passed
	})
	switch {
	case err == nil, answered(err, http.StatusForbidden, "invalid token"): // it has expired before
		s.ours = false
		return nil
	case answered(err, http.StatusForbidden, "permission denied"):
		return &diag.Problem{
			Summary: "Token of Vault not revoked",
			Detail: fmt.Sprintf("The token from the login at %q may not revoke itself and stays good until it expires. Vault's policy \"default\" allows it; "+
				"a role without that policy (token_no_default_policy) needs:\n\n%s", s.login.path(), policy("auth/token/revoke-self", "update")),
			Attr: s.login.attr,
		}
	}
	if problem := s.client.commonProblem(err); problem != nil {
		return fmt.Errorf("revoking the token of Vault: %w", problem)
	}
	return fmt.Errorf("revoking the token of Vault: %w", err)
}

// isBatch reports whether a token is one that Vault does not store: it cannot
// be revoked, and expires by itself.
func isBatch(token string) bool {
	return strings.HasPrefix(token, "hvb.") || strings.HasPrefix(token, "b.")
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
