package githubfake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// data is all that GitHub remembers. It is written to disk as one JSON file.
type data struct {
	Key       []byte           `json:"key"` // signs tokens and URLs
	LastID    int64            `json:"last_id"`
	Runs      map[int64]Run    `json:"runs"`
	Statuses  []Status         `json:"statuses"`
	Artifacts []*Artifact      `json:"artifacts"`
	Caches    []*Cache         `json:"caches"`
	Blobs     map[string]*blob `json:"blobs"`

	Deployments []*Deployment       `json:"deployments"`
	Pulls       map[int]PullRequest `json:"pulls"`
	Comments    []*Comment          `json:"comments"`

	Refs     map[string]string      `json:"refs"`
	Commits  map[string]Commit      `json:"commits"`
	Trees    map[string][]treeEntry `json:"trees"`
	GitBlobs map[string][]byte      `json:"git_blobs"`

	Tokens map[string]Token `json:"tokens"`
	Apps   map[string]App   `json:"apps"`
}

// Status is one commit status.
type Status struct {
	ID          int64     `json:"id"`
	SHA         string    `json:"sha"`
	Context     string    `json:"context"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url"`
	Created     time.Time `json:"created"`
}

// Artifact is one workflow artifact. Until it is finalized it has no ID and
// only its name is taken.
type Artifact struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Run     int64     `json:"run"`
	Job     string    `json:"job"`
	Digest  string    `json:"digest"`
	Size    int64     `json:"size"`
	Created time.Time `json:"created"`
	Deleted time.Time `json:"deleted"` // zero where it is not
	Expires time.Time `json:"expires"`
	Blob    string    `json:"blob"`
}

// blob is one file of the blob storage.
type blob struct {
	Content   []byte            `json:"content"`
	Committed bool              `json:"committed"`
	Blocks    map[string][]byte `json:"blocks"` // not yet committed
}

// Statuses returns the commit statuses, oldest first.
func (f *Fake) Statuses() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.data.Statuses)
}

// Artifacts returns the finalized artifacts, oldest first.
func (f *Fake) Artifacts() []Artifact {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.finalized()
}

func (f *Fake) finalized() []Artifact {
	list := []Artifact{}
	for _, a := range f.data.Artifacts {
		if a.ID != 0 && a.Deleted.IsZero() {
			list = append(list, *a)
		}
	}
	return list
}

// listed returns the artifacts that lists show by now: what changed a moment
// ago is not known everywhere yet.
func (f *Fake) listed() []Artifact {
	list := []Artifact{}
	settled := f.options.Now().Add(-f.options.Lag)
	for _, a := range f.data.Artifacts {
		if a.ID != 0 && !a.Created.After(settled) && (a.Deleted.IsZero() || a.Deleted.After(settled)) {
			list = append(list, *a)
		}
	}
	return list
}

// Content returns the bytes of an artifact, which are a zip file.
func (f *Fake) Content(id int64) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.data.Artifacts {
		if a.ID == id {
			return slices.Clone(f.data.Blobs[a.Blob].Content)
		}
	}
	return nil
}

// Corrupt changes the content of an artifact behind the back of its digest.
func (f *Fake) Corrupt(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.data.Artifacts {
		if a.ID == id {
			f.data.Blobs[a.Blob].Content = []byte("corrupted")
		}
	}
}

// AddArtifact makes content, which may be anything, an artifact of a job of a
// run, whether its name is taken or not. Its size and digest are right.
func (f *Fake) AddArtifact(run int64, job, name string, content []byte) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.data.Runs[run]; !known {
		f.addRun(Run{ID: run})
	}
	now, sum := f.options.Now().UTC(), sha256.Sum256(content)
	a := &Artifact{
		ID: f.newID(), Name: name, Run: run, Job: job, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(content)),
		Created: now, Expires: now.Add(90 * 24 * time.Hour), Blob: strconv.FormatInt(f.newID(), 10),
	}
	f.data.Artifacts = append(f.data.Artifacts, a)
	f.data.Blobs[a.Blob] = &blob{Content: slices.Clone(content), Committed: true}
	return a.ID
}

// Expire makes an artifact as good as gone: it is listed, but has no content.
func (f *Fake) Expire(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.data.Artifacts {
		if a.ID == id {
			a.Expires = f.options.Now().Add(-time.Minute)
		}
	}
}

// Delete deletes an artifact, as a person can on the page of its run.
func (f *Fake) Delete(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.data.Artifacts {
		if a.ID == id {
			a.Deleted = f.options.Now().UTC()
		}
	}
}

// newID returns an ID that is greater than every one before it, as GitHub's.
func (f *Fake) newID() int64 {
	f.data.LastID++
	return f.data.LastID
}

func (f *Fake) load() error {
	f.data = data{
		Runs: map[int64]Run{}, Blobs: map[string]*blob{}, Pulls: map[int]PullRequest{},
		Refs: map[string]string{}, Commits: map[string]Commit{}, Trees: map[string][]treeEntry{emptyTree: {}}, GitBlobs: map[string][]byte{},
		Tokens: map[string]Token{}, Apps: map[string]App{},
	}
	if f.options.Dir == "" {
		return nil
	}
	content, err := os.ReadFile(f.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if err := json.Unmarshal(content, &f.data); err != nil {
		return fmt.Errorf("reading the store %q: %w", f.file(), err)
	}
	return nil
}

// save writes the store to disk after a request that may have changed it.
func (f *Fake) save(method string) error {
	if f.options.Dir == "" || method == http.MethodGet {
		return nil
	}
	content, err := json.Marshal(f.data)
	if err != nil {
		return fmt.Errorf("writing the store: %w", err)
	}
	if err := os.MkdirAll(f.options.Dir, 0o755); err != nil {
		return fmt.Errorf("writing the store: %w", err)
	}
	if err := os.WriteFile(f.file()+".new", content, 0o600); err != nil {
		return fmt.Errorf("writing the store: %w", err)
	}
	return os.Rename(f.file()+".new", f.file())
}

func (f *Fake) file() string { return filepath.Join(f.options.Dir, "github.json") }
