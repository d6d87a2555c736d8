package packer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// channel is one that can be asked for.
type channel struct{ bucket, name string }

// question asks which image of a channel is in a region of a cloud.
type question struct {
	channel
	cloud, region string
}

// parse reads the parameters of a key.
func parse(key component.Key) (question, error) {
	q := question{channel{key.Params["bucket"], key.Params["channel"]}, key.Params["cloud"], key.Params["region"]}
	known := []string{"bucket", "channel", "cloud", "region"}
	for _, name := range slices.Sorted(maps.Keys(key.Params)) {
		if !slices.Contains(known, name) {
			return q, &diag.Problem{
				Summary: fmt.Sprintf("Unknown parameter %q of the source \"packer\"", name),
				Detail:  fmt.Sprintf("It knows bucket, channel, cloud and region.%s", diag.Suggest(name, known)),
			}
		}
	}
	for _, name := range known {
		if key.Params[name] == "" {
			return q, &diag.Problem{
				Summary: fmt.Sprintf("The source \"packer\" needs %q", name),
				Detail:  "An image is named by bucket, channel, cloud and region, such as { bucket = \"web\", channel = \"production\", cloud = \"aws\", region = \"eu-west-1\" }.",
			}
		}
	}
	return q, nil
}

// errHidden is the answer for what does not exist or may not be read.
var errHidden = errors.New("not found, or not allowed")

// signIn gets a token of the service principal.
func (s *sourcer) signIn(ctx context.Context) (*oauth2.Token, error) {
	token, err := s.principal.Token(context.WithValue(ctx, oauth2.HTTPClient, s.http))
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, &diag.Problem{
			Summary: "HCP refuses the service principal",
			Detail:  fmt.Sprintf("It answered %s (%s). Check client_id and client_secret, or HCP_CLIENT_ID and HCP_CLIENT_SECRET.", refusal.Response.Status, refusal.ErrorCode),
			Attr:    "client_id",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing in to HCP: %w", err)
	}
	s.mask(secret.Text(token.AccessToken))
	return token, nil
}

// version is as much of what a channel names as concerns us.
// https://developer.hashicorp.com/hcp/api-docs/packer
type version struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Builds []struct {
		Platform  string `json:"platform"`
		Artifacts []struct {
			ID     string `json:"external_identifier"`
			Region string `json:"region"`
		} `json:"artifacts"`
	} `json:"builds"`
}

// version asks what a channel names; nil where it names nothing yet.
func (s *sourcer) version(ctx context.Context, token *oauth2.Token, c channel) (*version, error) {
	address := s.api.JoinPath("packer/2023-01-01/organizations", s.organization, "projects", s.project, "buckets", c.bucket, "channels", c.name)
	var answer struct {
		Channel struct {
			Version *version `json:"version"`
		} `json:"channel"`
	}
	err := retry.Do(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return err
		}
		token.SetAuthHeader(req)
		response, err := s.http.Do(req)
		if err != nil {
			return retry.Transient(err)
		}
		defer response.Body.Close()
		switch {
		case response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusForbidden:
			return errHidden
		case response.StatusCode == http.StatusTooManyRequests, response.StatusCode >= 500:
			return retry.Transient(fmt.Errorf("HCP answered %s", response.Status))
		case response.StatusCode != http.StatusOK:
			return fmt.Errorf("HCP answered %s", response.Status)
		}
		return json.NewDecoder(io.LimitReader(response.Body, 16<<20)).Decode(&answer)
	})
	if err != nil && !errors.Is(err, errHidden) {
		err = fmt.Errorf("reading channel %q of bucket %q: %w", c.name, c.bucket, err)
	}
	return answer.Channel.Version, err
}

// answer finds the image that is asked for.
func (q question) answer(v *version, err error) component.Reading {
	refuse := func(summary, detail string) component.Reading {
		return component.Reading{Err: &diag.Problem{Summary: summary, Detail: detail}}
	}
	where := fmt.Sprintf("channel %q of bucket %q", q.name, q.bucket)
	switch {
	case err != nil:
		return refuse("No such channel", fmt.Sprintf("HCP Packer has no %s, or does not show it to this service principal. Check both names, and organization_id and project_id.", where))
	case v == nil:
		return refuse("The channel names no version", fmt.Sprintf("No version is assigned to %s. Assign one.", where))
	case v.Status == "VERSION_REVOKED":
		return refuse("The version is revoked", fmt.Sprintf("Version %q, which %s names, must no longer be used. Assign another one.", v.Name, where))
	}
	var others []string
	for _, build := range v.Builds {
		for _, image := range build.Artifacts {
			if build.Platform == q.cloud && image.Region == q.region {
				return component.Reading{Text: secret.Text(image.ID), Public: true}
			}
			others = append(others, build.Platform+" "+image.Region)
		}
	}
	slices.Sort(others)
	return refuse("No image there", fmt.Sprintf("Version %q, which %s names, has no image for cloud %q in region %q. It has: %s.",
		v.Name, where, q.cloud, q.region, strings.Join(slices.Compact(others), ", ")))
}
