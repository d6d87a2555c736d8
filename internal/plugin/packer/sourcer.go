package packer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// parallelChannels is how many channels are read at a time.
const parallelChannels = 4

// sourcer reads channels of HCP Packer.
type sourcer struct {
	organization, project string
	api                   *url.URL
	http                  *http.Client
	principal             clientcredentials.Config
	mask                  func(secret.Text)
}

var _ component.Sourcer = (*sourcer)(nil)

func openSourcer(h component.Host, c SourcerConfig) (component.Sourcer, error) {
	settings := []struct{ attr, variable, value string }{
		{"organization_id", "HCP_ORGANIZATION_ID", c.OrganizationID},
		{"project_id", "HCP_PROJECT_ID", c.ProjectID},
		{"client_id", "HCP_CLIENT_ID", c.ClientID},
		{"client_secret", "HCP_CLIENT_SECRET", c.ClientSecret.Reveal()},
	}
	values := map[string]string{}
	for _, s := range settings {
		values[s.attr] = cmp.Or(h.Getenv(s.variable), s.value)
		if values[s.attr] == "" {
			return nil, &diag.Problem{
				Summary: "HCP Packer needs " + s.attr,
				Detail:  fmt.Sprintf("Set `%s` in the source \"packer\", or %s in the environment. A service principal of the project with the role Viewer can read channels.", s.attr, s.variable),
				Attr:    s.attr,
			}
		}
	}
	api, err := url.Parse(cmp.Or(h.Getenv("HCP_API_ADDRESS"), "https://api.cloud.hashicorp.com"))
	if err != nil {
		return nil, fmt.Errorf("reading HCP_API_ADDRESS: %w", err)
	}
	return &sourcer{
		organization: values["organization_id"], project: values["project_id"], api: api, http: h.HTTP, mask: h.Mask,
		principal: clientcredentials.Config{
			ClientID: values["client_id"], ClientSecret: values["client_secret"],
			TokenURL:       cmp.Or(h.Getenv("HCP_AUTH_URL"), "https://auth.idp.hashicorp.com") + "/oauth2/token",
			EndpointParams: url.Values{"audience": {"https://api.hashicorp.cloud"}},
			AuthStyle:      oauth2.AuthStyleInParams,
		},
	}, nil
}

// Read implements [component.Sourcer]. Each channel is read once.
func (s *sourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	readings := make([]component.Reading, len(keys))
	asked := map[channel][]int{}
	questions := make([]question, len(keys))
	for i, key := range keys {
		q, err := parse(key)
		if err != nil {
			readings[i].Err = err
			continue
		}
		questions[i] = q
		asked[q.channel] = append(asked[q.channel], i)
	}
	if len(asked) == 0 && len(keys) > 0 {
		return readings, context.Cause(ctx)
	}
	token, err := s.signIn(ctx)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelChannels)
	for c, indexes := range asked {
		group.Go(func() error {
			version, err := s.version(ctx, token, c)
			if err != nil && !errors.Is(err, errHidden) {
				return err
			}
			for _, i := range indexes {
				readings[i] = questions[i].answer(version, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return readings, nil
}

// Close implements [component.Sourcer]. A token ends by itself.
func (s *sourcer) Close(context.Context) error { return nil }
