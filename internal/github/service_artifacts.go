package github

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// protocolVersion is that of clients which always upload a zip file.
const protocolVersion = 4

// RunArtifact is an artifact of the present run, as its service knows it.
type RunArtifact struct {
	ID     int64 // the same as [Artifact].ID
	Name   string
	Digest string // sha256:… of the zip file
	job    string // as the service calls it
}

// The messages of the service carry 64 bit integers as strings.
type (
	ids struct {
		Run string `json:"workflow_run_backend_id"`
		Job string `json:"workflow_job_run_backend_id"`
	}
	named struct {
		ids
		Name string `json:"name"`
	}
	createRequest struct {
		named
		Version int       `json:"version"`
		Expires time.Time `json:"expires_at,omitzero"`
	}
	createAnswer struct {
		OK  bool   `json:"ok"`
		URL string `json:"signed_upload_url"`
	}
	finalizeRequest struct {
		named
		Size int64  `json:"size,string"`
		Hash string `json:"hash"`
	}
	finalizeAnswer struct {
		OK bool  `json:"ok"`
		ID int64 `json:"artifact_id,string"`
	}
	listAnswer struct {
		Artifacts []struct {
			Job    string `json:"workflow_job_run_backend_id"`
			ID     int64  `json:"database_id,string"`
			Name   string `json:"name"`
			Digest string `json:"digest"`
		} `json:"artifacts"`
	}
	signAnswer struct {
		URL string `json:"signed_url"`
	}
)

// Upload makes an artifact of the run that holds one file, and returns its ID.
// It returns [ErrNameTaken] where the run has one of that name.
func (s *Service) Upload(ctx context.Context, name, file string, content []byte) (int64, error) {
	zipped, err := pack(file, content)
	if err != nil {
		return 0, err
	}
	us := named{ids{s.run, s.job}, name}
	request := createRequest{named: us, Version: protocolVersion}
	if s.days > 0 {
		request.Expires = time.Now().UTC().AddDate(0, 0, s.days)
	}
	var created createAnswer
	if err := s.call(ctx, "CreateArtifact", request, &created); err != nil {
		return 0, err
	}
	if !created.OK {
		return 0, fmt.Errorf("the artifact service does not take %q", name)
	}
	s.hide(created.URL)
	blob := upload{client: s.http, mediaType: "application/zip", patience: outagePatience}
	if err := blob.store(ctx, created.URL, bytes.NewReader(zipped), int64(len(zipped))); err != nil {
		return 0, fmt.Errorf("uploading artifact %q: %w", name, err)
	}
	var finalized finalizeAnswer
	err = s.call(ctx, "FinalizeArtifact", finalizeRequest{us, int64(len(zipped)), digestOf(zipped)}, &finalized)
	if err != nil {
		return 0, err
	}
	if !finalized.OK {
		return 0, fmt.Errorf("the artifact service did not keep %q", name)
	}
	return finalized.ID, nil
}

// List returns all artifacts of the run, newest first. Of several with one name
// in one job it returns the newest, for the others cannot be asked for.
func (s *Service) List(ctx context.Context) ([]RunArtifact, error) {
	var answer listAnswer
	if err := s.call(ctx, "ListArtifacts", ids{s.run, s.job}, &answer); err != nil {
		return nil, err
	}
	var list []RunArtifact
	for _, a := range answer.Artifacts {
		list = append(list, RunArtifact{ID: a.ID, Name: a.Name, Digest: a.Digest, job: a.Job})
	}
	slices.SortFunc(list, func(a, b RunArtifact) int { return cmp.Compare(b.ID, a.ID) })
	seen := map[RunArtifact]bool{}
	return slices.DeleteFunc(list, func(a RunArtifact) bool {
		place := RunArtifact{Name: a.Name, job: a.job}
		older := seen[place]
		seen[place] = true
		return older
	}), nil
}

// signMethod is the method that tells where the content of an artifact is.
const signMethod = "GetSignedArtifactURL"

// Download is [Client.Download] for an artifact of the present run.
func (s *Service) Download(ctx context.Context, a RunArtifact, file string) ([]byte, error) {
	var zipped []byte
	err := retry.Do(ctx, func(ctx context.Context) error {
		var signed signAnswer
		err := s.call(ctx, signMethod, named{ids{s.run, a.job}, a.Name}, &signed)
		if err != nil {
			return err
		}
		s.hide(signed.URL)
		zipped, err = fetch(ctx, s.http, signed.URL, a.Digest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("downloading artifact %q of this run: %w", a.Name, err)
	}
	return unpack(zipped, file)
}

// hide keeps the signature of a URL out of everything that is printed: whoever
// has it can read or write the artifact.
func (s *Service) hide(address string) {
	if u, err := url.Parse(address); err == nil {
		s.secrets.Add(secret.Text(u.Query().Get("sig")))
	}
}
