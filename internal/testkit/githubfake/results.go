package githubfake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const resultsPath = "POST /twirp/github.actions.results.api.v1.ArtifactService/"

// artifactRequest has the fields of every request of the artifact service, as
// its clients spell them.
type artifactRequest struct {
	Run       string          `json:"workflow_run_backend_id"`
	Job       string          `json:"workflow_job_run_backend_id"`
	Name      string          `json:"name"`
	Version   int             `json:"version"`
	MIMEType  json.RawMessage `json:"mime_type"`
	ExpiresAt time.Time       `json:"expires_at"`
	Size      string          `json:"size"`
	Hash      string          `json:"hash"`
	NameOnly  string          `json:"name_filter"`
	IDOnly    string          `json:"id_filter"`
}

func (f *Fake) routeResults() {
	methods := map[string]func(http.ResponseWriter, *http.Request, Run, artifactRequest){
		"CreateArtifact":       f.createArtifact,
		"FinalizeArtifact":     f.finalizeArtifact,
		"ListArtifacts":        f.listRunArtifacts,
		"GetSignedArtifactURL": f.signArtifact,
		"DeleteArtifact":       f.deleteArtifact,
	}
	for name, method := range methods {
		f.mux.HandleFunc(resultsPath+name, func(w http.ResponseWriter, r *http.Request) {
			var req artifactRequest
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&req); err != nil {
				refuseTwirp(w, http.StatusBadRequest, "malformed", err.Error())
				return
			}
			run, err := f.authenticate(r, req.Run)
			if err != nil {
				refuseTwirp(w, http.StatusUnauthorized, "unauthenticated", err.Error())
				return
			}
			method(w, r, run, req)
		})
	}
}

func (f *Fake) createArtifact(w http.ResponseWriter, r *http.Request, run Run, req artifactRequest) {
	switch {
	case req.Name == "" || strings.ContainsAny(req.Name, "\":<>|*?\r\n\\/"):
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "name is not valid")
		return
	case req.Version < 4:
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "version is not supported")
		return
	case f.taken(run, req.Name):
		refuseTwirp(w, http.StatusConflict, "already_exists", "an artifact with this name already exists on the workflow run")
		return
	}
	a := &Artifact{Name: req.Name, Run: run.ID, Job: req.Job, Blob: strconv.FormatInt(f.newID(), 10), Expires: req.ExpiresAt}
	if a.Expires.IsZero() {
		a.Expires = f.options.Now().Add(90 * 24 * time.Hour).UTC()
	}
	f.data.Artifacts = append(f.data.Artifacts, a)
	f.data.Blobs[a.Blob] = &blob{}
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "signed_upload_url": f.signedURL(r, a.Blob, mayWrite, time.Hour)})
}

func (f *Fake) finalizeArtifact(w http.ResponseWriter, _ *http.Request, run Run, req artifactRequest) {
	a := f.named(run, req.Name)
	if a == nil || a.Job != req.Job {
		refuseTwirp(w, http.StatusNotFound, "not_found", "artifact not found")
		return
	}
	content := f.data.Blobs[a.Blob]
	sum := sha256.Sum256(content.Content)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	switch {
	case !content.Committed:
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "nothing was uploaded")
		return
	case req.Size != strconv.Itoa(len(content.Content)):
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "size does not match what was uploaded")
		return
	case req.Hash != digest:
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "hash does not match what was uploaded")
		return
	}
	if a.ID == 0 {
		a.ID, a.Digest, a.Size, a.Created = f.newID(), digest, int64(len(content.Content)), f.options.Now().UTC()
	}
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "artifact_id": strconv.FormatInt(a.ID, 10)})
}

func (f *Fake) listRunArtifacts(w http.ResponseWriter, _ *http.Request, run Run, req artifactRequest) {
	list := []any{}
	for _, a := range f.listed() {
		if a.Run != run.ID || req.NameOnly != "" && a.Name != req.NameOnly || req.IDOnly != "" && strconv.FormatInt(a.ID, 10) != req.IDOnly {
			continue
		}
		list = append(list, map[string]any{
			"workflow_run_backend_id": run.Backend, "workflow_job_run_backend_id": a.Job,
			"database_id": strconv.FormatInt(a.ID, 10), "name": a.Name, "size": strconv.FormatInt(a.Size, 10),
			"created_at": a.Created.Format(time.RFC3339), "digest": a.Digest,
		})
	}
	answerJSON(w, http.StatusOK, map[string]any{"artifacts": list})
}

func (f *Fake) signArtifact(w http.ResponseWriter, r *http.Request, run Run, req artifactRequest) {
	var a *Artifact // the newest
	for _, other := range f.data.Artifacts {
		if other.Run == run.ID && other.Name == req.Name && other.Job == req.Job && other.ID != 0 && other.Deleted.IsZero() {
			a = other
		}
	}
	if a == nil {
		refuseTwirp(w, http.StatusNotFound, "not_found", "artifact not found")
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"name": a.Name, "signed_url": f.signedURL(r, a.Blob, mayRead, time.Minute)})
}

func (f *Fake) deleteArtifact(w http.ResponseWriter, _ *http.Request, run Run, req artifactRequest) {
	a := f.named(run, req.Name)
	if a == nil {
		refuseTwirp(w, http.StatusNotFound, "not_found", "artifact not found")
		return
	}
	a.Deleted = f.options.Now().UTC()
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "artifact_id": strconv.FormatInt(a.ID, 10)})
}

func (f *Fake) named(run Run, name string) *Artifact {
	for _, a := range f.data.Artifacts {
		if a.Run == run.ID && a.Name == name && a.Deleted.IsZero() {
			return a
		}
	}
	return nil
}

// taken reports whether a run has an artifact of that name, or had one until a
// moment ago.
func (f *Fake) taken(run Run, name string) bool {
	settled := f.options.Now().Add(-f.options.Lag)
	return slices.ContainsFunc(f.data.Artifacts, func(a *Artifact) bool {
		return a.Run == run.ID && a.Name == name && (a.Deleted.IsZero() || a.Deleted.After(settled))
	})
}

// Token returns the runtime token of one job of a run, as the runner hands it
// to actions. A run that f does not know becomes one on the default branch.
func (f *Fake) Token(run int64, job string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, known := f.data.Runs[run]
	if !known {
		r = f.addRun(Run{ID: run})
	}
	return f.token(r, job)
}

func (f *Fake) token(r Run, job string) string {
	if job == "" {
		job = r.Backend
	}
	claims := fmt.Sprintf(`{"scp":"Actions.GenericRead:1 Actions.Results:%s:%s","run":%d}`, r.Backend, job, r.ID)
	unsigned := segment([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + segment([]byte(claims))
	return unsigned + "." + segment(f.mac(unsigned))
}

// authenticate returns the run that the token of r was made for, and insists
// that the request names the same one.
func (f *Fake) authenticate(r *http.Request, backend string) (Run, error) {
	run, err := f.tokenRun(r)
	if err == nil && run.Backend != backend {
		return Run{}, fmt.Errorf("the token is for another run")
	}
	return run, err
}

// tokenRun returns the run that the token of r was made for.
func (f *Fake) tokenRun(r *http.Request) (Run, error) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !bearer || len(parts) != 3 {
		return Run{}, fmt.Errorf("no bearer token")
	}
	if !hmac.Equal([]byte(parts[2]), []byte(segment(f.mac(parts[0]+"."+parts[1])))) {
		return Run{}, fmt.Errorf("the token was signed by somebody else")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Run{}, err
	}
	var claims struct{ Run int64 }
	if err := json.Unmarshal(payload, &claims); err != nil {
		return Run{}, err
	}
	return f.data.Runs[claims.Run], nil
}

func (f *Fake) mac(text string) []byte {
	h := hmac.New(sha256.New, f.data.Key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func refuseTwirp(w http.ResponseWriter, status int, code, message string) {
	answerJSON(w, status, map[string]any{"code": code, "msg": message})
}
