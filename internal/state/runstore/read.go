package runstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

const (
	// mostListed bounds how many artifacts of one name are looked at in search
	// of one to believe.
	mostListed = 1000

	// enough is how many believed artifacts are looked at. Each run merges
	// what it finds, so the newest holds nearly always everything, and the
	// others are there for runs that uploaded at the same moment.
	enough = 10
)

// refresh reads what v lacks, from this run and from earlier ones, and compares
// it with what GitHub was told. After an error v holds what was read until then,
// and that is true as far as it goes.
func (s *Store) refresh(ctx context.Context, k key, v *view) error {
	s.Handover(ctx) // both sides look at it
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	told := make(chan recent, 1)
	go func() {
		page, handed, err := s.recent(asking, k)
		told <- recent{page, handed, err}
	}()
	err := s.place.read(ctx, k, v)
	if err != nil {
		cancel()
	}
	page := <-told // also after an error: nothing of ours goes on asking
	if err == nil && page.handed && page.page.Full && !v.kept {
		// A state of which nothing is left is rebuilt from all that there is.
		page.page, page.err = s.intents.Recent(ctx, k.claim())
	}
	if err == nil {
		err = s.compare(ctx, k, v, page)
	}
	if err != nil {
		return s.unreadable(ctx, k, err)
	}
	v.complete = true
	s.warnOfRetention()
	return nil
}

// readRun reads what jobs and attempts of this run have uploaded. The artifact
// service shows it at once and asks for no permission.
func (p *artifacts) readRun(ctx context.Context, k key, v *view) error {
	if p.service == nil {
		return nil
	}
	list, err := p.service.List(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		if !k.names(a.Name) {
			continue
		}
		v.taken[a.Name] = true
		if v.merged[a.ID] {
			continue
		}
		content, err := p.service.Download(ctx, a, file)
		if errors.Is(err, github.ErrGone) {
			continue
		}
		if err == nil {
			err = v.merge(a.ID, content)
		}
		if err != nil {
			return fmt.Errorf("artifact %q of this run: %w", a.Name, err)
		}
	}
	return nil
}

// readRepository reads what earlier runs have uploaded, newest first. An
// artifact that must not be believed stops it only until a good one was found:
// that one was made by a run which dealt with everything before it.
func (p *artifacts) readRepository(ctx context.Context, k key, v *view) error {
	listed, believed := 0, 0
	for a, err := range p.client.Artifacts(ctx, k.name(1)) {
		if err != nil {
			return err
		}
		if believed == enough {
			return nil
		}
		if listed++; listed > mostListed {
			break
		}
		if a.Foreign() {
			continue
		}
		if a.Expired {
			if v.lost, err = p.loses(ctx, k, v, a); err != nil {
				return err
			}
			continue
		}
		switch err := p.readArtifact(ctx, k, v, a); {
		case err == nil:
			believed++
			v.age(a)
		case errors.Is(err, github.ErrGone):
			v.lost = v.lost || believed == 0
		case believed > 0 && unbelievable(err):
		default:
			return err
		}
	}
	if listed > mostListed && believed == 0 {
		return errExhausted
	}
	return nil
}

// loses reports whether an artifact that has expired held what nothing else
// does: it was made after all that were read.
func (p *artifacts) loses(ctx context.Context, k key, v *view, a github.Artifact) (bool, error) {
	if v.lost || v.merged[a.ID] || a.Created.Before(v.newest) {
		return v.lost, nil
	}
	return p.trust.believes(ctx, k, a.HeadBranch)
}

// unbelievable reports whether err is about what an artifact is, and not about
// the way to it.
func unbelievable(err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, github.ErrDigest) || errors.Is(err, github.ErrContent) ||
		errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrTruncated) || errors.Is(err, state.ErrNotState)
}

// readArtifact reads the artifact a and what else its run has uploaded for k,
// unless it was read before.
func (p *artifacts) readArtifact(ctx context.Context, k key, v *view, a github.Artifact) error {
	if v.merged[a.ID] {
		return nil
	}
	trusted, err := p.trust.trusts(ctx, k, a.Run, a.HeadBranch)
	if err != nil {
		return err
	}
	if !trusted {
		return fmt.Errorf("artifact %q of run %d on %q: %w", a.Name, a.Run, a.HeadBranch, errRefused)
	}
	// The plain name is that of the run's first upload; later ones are found
	// only by asking the run.
	others, err := p.uploadsOf(ctx, k, a.Run)
	if err != nil {
		return err
	}
	return p.readAll(ctx, v, append(slices.DeleteFunc(others, func(o github.Artifact) bool { return o.ID == a.ID }), a))
}

// uploadsOf returns the artifacts of a run that are about k.
func (p *artifacts) uploadsOf(ctx context.Context, k key, run int64) ([]github.Artifact, error) {
	if handed, known := p.handed.uploads(k, run); known {
		return slices.DeleteFunc(slices.Clone(handed), func(a github.Artifact) bool { return a.Expired || a.Foreign() }), nil
	}
	var found []github.Artifact
	for a, err := range p.client.RunArtifacts(ctx, run) {
		if err != nil {
			return nil, err
		}
		if k.names(a.Name) && !a.Expired && !a.Foreign() {
			found = append(found, a)
		}
	}
	return found, nil
}

// readAll reads artifacts of one run that are believed, newest first, but for
// those that were read before.
func (p *artifacts) readAll(ctx context.Context, v *view, found []github.Artifact) error {
	slices.SortFunc(found, func(x, y github.Artifact) int { return cmp.Compare(y.ID, x.ID) })
	for _, one := range found {
		if v.merged[one.ID] {
			continue
		}
		content, err := p.client.Download(ctx, one, file)
		if err == nil {
			err = v.merge(one.ID, content)
		}
		if err != nil {
			return fmt.Errorf("artifact %q of run %d: %w", one.Name, one.Run, err)
		}
		v.age(one)
	}
	for _, one := range found {
		v.asked[one.Run] = true
	}
	return nil
}

// age notes when a state of which a is a part is to be uploaded again.
func (v *view) age(a github.Artifact) {
	if a.Created.After(v.newest) {
		v.newest, v.renewal = a.Created, halfTime(a)
	}
}

// merge adds the records of an artifact to v, and the knowledge of which other
// artifacts they came from.
func (v *view) merge(id int64, content []byte) error {
	header, err := v.add(content)
	if err != nil {
		return err
	}
	v.merged[id] = true
	for _, earlier := range header.Merged {
		v.merged[earlier] = true
	}
	return nil
}

// add adds the records of a state file to v.
func (v *view) add(content []byte) (state.Header, error) {
	header, records, err := state.Decode(bytes.NewReader(content))
	if err != nil {
		return header, err
	}
	trimmed := v.header.Trimmed.Union(header.Trimmed)
	if !v.kept {
		v.header, v.kept = header, true
	}
	v.header.Trimmed = trimmed
	v.records = trimmed.Merge(v.records, records)
	return header, nil
}
