package github

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

var (
	// ErrNoService means that this runner offers no artifact service: a
	// terminal, a `run` step, or GitHub Enterprise Server.
	ErrNoService = errors.New("there is no artifact service here")

	// ErrNameTaken means that the run has an artifact of that name already.
	// Artifacts never change, so only another name helps.
	ErrNameTaken = errors.New("the run has an artifact of this name already")
)

// longestPause is between two requests to a service that does not answer.
const longestPause = 15 * time.Second

// ServiceOptions says where the artifact service of a job is. The values come
// from the environment that the runner gives to actions.
type ServiceOptions struct {
	ResultsURL string       // ACTIONS_RESULTS_URL
	Token      secret.Text  // ACTIONS_RUNTIME_TOKEN
	HTTP       *http.Client // required
	Secrets    *secret.Set  // signatures of URLs are added to it
	Days       int          // how long uploads are kept; 0 for as long as the repository says
}

// Service is the artifact service of the run that this job belongs to, in its
// protocol of version 4. It needs no permission. It is safe for concurrent use.
type Service struct {
	origin   string
	token    secret.Text
	http     *http.Client
	secrets  *secret.Set
	days     int
	run, job string // as the service calls them
}

// NewService returns the service, or [ErrNoService]. It sends nothing.
func NewService(o ServiceOptions) (*Service, error) {
	if o.ResultsURL == "" || o.Token == "" {
		return nil, ErrNoService
	}
	u, err := url.Parse(o.ResultsURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("ACTIONS_RESULTS_URL %q is not a URL", o.ResultsURL)
	}
	run, job, err := backendIDs(o.Token)
	if err != nil {
		return nil, err
	}
	// The service is at the root of its host, whatever path the URL has.
	return &Service{origin: u.Scheme + "://" + u.Host, token: o.Token, http: o.HTTP, secrets: o.Secrets, days: o.Days, run: run, job: job}, nil
}

// backendIDs reads the service's own names of run and job from the token's
// scope. The token is not ours to verify: the service does.
func backendIDs(token secret.Text) (run, job string, err error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return "", "", errors.New("ACTIONS_RUNTIME_TOKEN is not a token of the runner")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Scope string `json:"scp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return "", "", errors.New("ACTIONS_RUNTIME_TOKEN is not a token of the runner")
	}
	for scope := range strings.FieldsSeq(claims.Scope) {
		if ids := strings.Split(scope, ":"); len(ids) == 3 && ids[0] == "Actions.Results" {
			return ids[1], ids[2], nil
		}
	}
	return "", "", ErrNoService // GitHub Enterprise Server grants no such scope
}

// artifacts and caches are the services behind the one address.
const (
	artifacts = "ArtifactService/"
	caches    = "CacheService/"
)

// call sends one request of the service until it is answered.
func (s *Service) call(ctx context.Context, method string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("calling %s: %w", method, err)
	}
	pause := 3 * time.Second
	err = retry.Patiently(ctx, outagePatience, func(ctx context.Context) error {
		wait, err := s.post(ctx, artifacts+method, body, answer)
		if err == nil || wait < 0 {
			return err
		}
		// Longer pauses than elsewhere: the service asks its clients for them.
		spread := pause/2 + rand.N(pause)
		pause = min(pause*3/2, longestPause)
		return retry.After(err, max(wait, spread))
	})
	if err != nil {
		return fmt.Errorf("calling %s of the artifact service: %w", method, err)
	}
	return nil
}

// post sends one request once, to a method with its service before it. A wait of
// 0 or more says that it is worth another try after at least that time; it is
// negative where it is not.
func (s *Service) post(ctx context.Context, method string, body []byte, answer any) (wait time.Duration, err error) {
	address := s.origin + "/twirp/github.actions.results.api.v1." + method
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	response, err := s.http.Do(req)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, sizeLimit))
	switch {
	case err != nil:
		return 0, err
	case response.StatusCode == http.StatusOK:
		if err := decodeTwirp(content, answer); err != nil {
			return 0, err // a page of a proxy, or half an answer
		}
		return -1, nil
	case response.StatusCode == http.StatusConflict:
		return -1, ErrNameTaken
	}
	var refusal struct{ Code, Msg string }
	// An answer that is no JSON comes from a proxy; its status says enough.
	_ = json.Unmarshal(content, &refusal)
	err = &refusedError{response.StatusCode, response.Status + " " + refusal.Msg}
	if method == artifacts+signMethod && refusal.Code == "not_found" {
		return -1, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if !transientStatus(response.StatusCode) || strings.Contains(refusal.Msg, "storage quota") {
		return -1, err // a full quota does not empty while we wait
	}
	return retryAfter(response.Header), err
}

// refusedError is an answer of the service other than success.
type refusedError struct {
	status int
	text   string
}

// Error implements error.
func (e *refusedError) Error() string { return e.text }

// decodeTwirp reads an answer. A field has one of two names there, artifact_id or
// artifactId: both are JSON of Protocol Buffers, and servers differ.
func decodeTwirp(content []byte, answer any) error {
	var fields any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	err := decoder.Decode(&fields)
	if err == nil {
		content, err = json.Marshal(withProtoNames(fields))
	}
	if err == nil {
		err = json.Unmarshal(content, answer)
	}
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// upper is what stands for an underscore and a letter in names such as
// artifactId.
var upper = regexp.MustCompile("[A-Z]")

// withProtoNames returns a JSON value whose fields are named as artifact_id.
func withProtoNames(value any) any {
	switch value := value.(type) {
	case map[string]any:
		renamed := make(map[string]any, len(value))
		for name, field := range value {
			renamed[upper.ReplaceAllStringFunc(name, func(c string) string { return "_" + strings.ToLower(c) })] = withProtoNames(field)
		}
		return renamed
	case []any:
		for i := range value {
			value[i] = withProtoNames(value[i])
		}
	}
	return value
}

// Job returns what the service calls the job that this step belongs to. All
// steps of a job see the same, and each job of a matrix sees another.
func (s *Service) Job() string { return s.job }
