package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
)

// mostCommits is how many commits are asked for their statuses: two requests
// each.
const mostCommits = 30

// statusReader reads what commit statuses tell of deployments. It is for
// repositories where Deployments are off: those tell more.
type statusReader struct {
	client    *github.Client
	project   string
	workspace string
	head      string // where it begins
	told      []toldStatus
	read      bool
}

// toldStatus is a status with its commit.
type toldStatus struct {
	github.Status
	commit string
}

// of returns the records of an app that its commit statuses tell of.
func (s *statusReader) of(ctx context.Context, app string) ([]state.Record, error) {
	if !s.read {
		if err := s.walk(ctx); err != nil {
			return nil, err
		}
		s.read = true
	}
	var records []state.Record
	for _, status := range s.told {
		if status.Context == fmt.Sprintf("deploy-action/%s (%s)", app, s.workspace) {
			records = append(records, s.records(app, status)...)
		}
	}
	return numbered(records), nil
}

// walk reads the statuses of the newest commits, along the first parents. Where
// the history cannot be followed it ends.
func (s *statusReader) walk(ctx context.Context) error {
	for sha, n := s.head, 0; sha != "" && n < mostCommits; n++ {
		for status, err := range s.client.Statuses(ctx, sha) {
			if err != nil {
				return err
			}
			s.told = append(s.told, toldStatus{status, sha})
		}
		commit, err := s.client.Commit(ctx, sha)
		if errors.Is(err, github.ErrNotFound) || err == nil && len(commit.Parents) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		sha = commit.Parents[0]
	}
	return nil
}

// records are what one status tells: that something was deployed and, if its
// text says so, released.
func (s *statusReader) records(app string, status toldStatus) []state.Record {
	id, sequence, digest, ok := report.ParseStatus(status.Description)
	reached := map[string]state.Status{"success": state.Succeeded, "failure": state.Failed}[status.State]
	if !ok || reached == "" {
		return nil
	}
	deploy := state.Record{
		Schema: state.Schema, ID: "status-" + id, Operation: "deploy", Status: reached, Project: s.project, App: app, Workspace: s.workspace,
		Sequence: sequence, Deployment: id, Origin: state.Origin{Commit: status.commit}, Started: status.Created,
		Message: strings.TrimSuffix(fmt.Sprintf("%sa status of commit %s, image %s", state.RebuiltFrom, status.commit, digest), ", image "),
	}
	if reached != state.Succeeded || !strings.HasPrefix(status.Description, "released") {
		return []state.Record{deploy}
	}
	release := deploy
	release.ID, release.Operation, release.Parent = fmt.Sprintf("%s-release-%d", deploy.ID, status.Created.Unix()), "release", deploy.ID
	return []state.Record{deploy, release}
}

// numbered keeps of each deployment what it came to first, and counts the
// releases, whose own sequences no status tells.
func numbered(records []state.Record) []state.Record {
	slices.SortStableFunc(records, func(a, b state.Record) int { return cmp.Compare(a.Started.Unix(), b.Started.Unix()) })
	var kept []state.Record
	seen, releases := map[string]bool{}, 0
	for _, r := range records {
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		if r.Operation == "release" {
			releases++
			r.Sequence = releases
		}
		kept = append(kept, r)
	}
	return kept
}
