package inplace

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// errNoJob is what the service answers where there is no such job.
var errNoJob = errors.New("no such job")

// Service runs jobs of many versions in memory. Each of its methods is one
// request. Safe for concurrent use.
type Service struct {
	mu       sync.Mutex
	calls    *plugintest.Calls
	gateways map[string]bool
	jobs     map[string]*job
}

// job is what the service holds under one name.
type job struct {
	labels   labels
	versions []version // oldest first; the last one is the newest
	stable   int       // index of the version with the traffic that the newest lacks; -1 for none
	weight   int       // percentage of the newest version
}

// labels say whose a job is.
type labels struct{ project, app, workspace string }

// version is one content of a job.
type version struct {
	id       string // the deployment
	sequence int
	image    string
	started  bool
}

// NewService returns an empty service that counts its requests.
func NewService(calls *plugintest.Calls) *Service {
	return &Service{calls: calls, gateways: map[string]bool{}, jobs: map[string]*job{}}
}

// read makes a request that changes nothing.
func (s *Service) read(ctx context.Context, name string, fn func() error) error {
	return s.calls.Read(ctx, name, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fn()
	})
}

// write makes a request that changes something.
func (s *Service) write(ctx context.Context, name string, fn func() error) error {
	return s.calls.Write(ctx, name, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return fn()
	})
}

func (s *Service) hasGateway(ctx context.Context, name string) (has bool, err error) {
	err = s.read(ctx, "get gateway", func() error { has = s.gateways[name]; return nil })
	return has, err
}

func (s *Service) putGateway(ctx context.Context, name string) error {
	return s.write(ctx, "put gateway", func() error { s.gateways[name] = true; return nil })
}

func (s *Service) deleteGateway(ctx context.Context, name string) error {
	return s.write(ctx, "delete gateway", func() error { delete(s.gateways, name); return nil })
}

// job returns a copy of a job, or errNoJob.
func (s *Service) job(ctx context.Context, name string) (found job, err error) {
	err = s.read(ctx, "get job", func() error {
		j, ok := s.jobs[name]
		if !ok {
			return errNoJob
		}
		found = *j
		found.versions = slices.Clone(j.versions)
		return nil
	})
	return found, err
}

// putVersion adds a version, which does not run yet, and makes the job with it.
func (s *Service) putVersion(ctx context.Context, name string, l labels, v version) error {
	return s.write(ctx, "put version", func() error {
		j, ok := s.jobs[name]
		if !ok {
			j = &job{labels: l, stable: -1}
			s.jobs[name] = j
		}
		if j.weight == 100 {
			j.stable = len(j.versions) - 1
		}
		j.weight = 0
		j.versions = append(j.versions, v)
		return nil
	})
}

// start runs the newest version of a job.
func (s *Service) start(ctx context.Context, name string) error {
	return s.change(ctx, "start", name, func(j *job) { j.versions[len(j.versions)-1].started = true })
}

// weigh gives the newest version a share of the traffic.
func (s *Service) weigh(ctx context.Context, name string, percent int) error {
	return s.change(ctx, "weigh", name, func(j *job) { j.weight = percent })
}

// silence takes all traffic from a job.
func (s *Service) silence(ctx context.Context, name string) error {
	return s.change(ctx, "silence", name, func(j *job) { j.weight, j.stable = 0, -1 })
}

func (s *Service) deleteJob(ctx context.Context, name string) error {
	return s.change(ctx, "delete job", name, func(*job) { delete(s.jobs, name) })
}

func (s *Service) change(ctx context.Context, request, name string, fn func(*job)) error {
	return s.write(ctx, request, func() error {
		j, ok := s.jobs[name]
		if !ok {
			return errNoJob
		}
		fn(j)
		return nil
	})
}

// Exists lists the gateways and jobs that there are.
func (s *Service) Exists() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range maps.Keys(s.gateways) {
		names = append(names, "gateway "+name)
	}
	for name := range maps.Keys(s.jobs) {
		names = append(names, "job "+name)
	}
	return slices.Sorted(slices.Values(names))
}

// Traffic returns the shares of a job's versions by their deployment.
func (s *Service) Traffic(name string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	shares := map[string]int{}
	j, ok := s.jobs[name]
	if !ok {
		return shares
	}
	if j.weight > 0 {
		shares[j.versions[len(j.versions)-1].id] = j.weight
	}
	if j.stable >= 0 && j.weight < 100 {
		shares[j.versions[j.stable].id] = 100 - j.weight
	}
	return shares
}

// Image returns the image of the newest version of a job.
func (s *Service) Image(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[name]
	if !ok {
		return ""
	}
	return j.versions[len(j.versions)-1].image
}
