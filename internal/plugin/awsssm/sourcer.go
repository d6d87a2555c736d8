package awsssm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

const (
	// batch is how many parameters AWS reads at once.
	// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
	batch = 10

	// atOnce is how many requests are made side by side. AWS allows 40 a second
	// to an account.
	atOnce = 4
)

// sourcer reads parameters.
type sourcer struct {
	cfg     SourcerConfig
	session *aws.Session
}

var _ component.Sourcer = (*sourcer)(nil)

func openSourcer(h component.Host, c SourcerConfig) (component.Sourcer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	h, err := c.as(h)
	if err != nil {
		return nil, err
	}
	session, err := aws.Open(h, c.Region)
	if err != nil {
		return nil, at("region", err)
	}
	return &sourcer{c, session}, nil
}

// Read implements [component.Sourcer].
func (s *sourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	loaded, err := s.cfg.config(ctx, s.session)
	if err != nil {
		return nil, at("region", err)
	}
	if len(keys) == 0 {
		_, err := sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil)
		return nil, err
	}
	wanted := map[string]bool{}
	for _, key := range keys {
		if path := key.Params["path"]; path != "" {
			wanted[path] = true
		}
	}
	found, err := readAll(ctx, ssm.NewFromConfig(loaded), slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	readings := make([]component.Reading, len(keys))
	for i, key := range keys {
		readings[i] = reading(key, found, loaded.Region)
	}
	return readings, nil
}

// readAll returns parameters by how they were asked for.
func readAll(ctx context.Context, client *ssm.Client, paths []string) (map[string]types.Parameter, error) {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	batches := slices.Collect(slices.Chunk(paths, batch))
	answers := make([]*ssm.GetParametersOutput, len(batches))
	for i, names := range batches {
		group.Go(func() (err error) {
			answers[i], err = client.GetParameters(inner, &ssm.GetParametersInput{Names: names, WithDecryption: new(true)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := map[string]types.Parameter{}
	for _, answer := range answers {
		for _, p := range answer.Parameters {
			// Which of them was asked for is not said.
			found[sdk.ToString(p.Name)+sdk.ToString(p.Selector)] = p
			found[sdk.ToString(p.ARN)+sdk.ToString(p.Selector)] = p
		}
	}
	return found, nil
}

// reading answers one key.
func reading(key component.Key, found map[string]types.Parameter, region string) component.Reading {
	path := key.Params["path"]
	if path == "" {
		return component.Reading{Err: &diag.Problem{
			Summary: "No parameter named",
			Detail:  fmt.Sprintf("The value of %q needs the parameter's name: dynamic(\"aws-ssm\", { path = \"/shop/database-url\" }).%s", key.Var, unknown(key.Params)),
		}}
	}
	p, ok := found[path]
	if !ok {
		return component.Reading{Err: &diag.Problem{
			Summary: fmt.Sprintf("No parameter %q", path),
			Detail: fmt.Sprintf("The value of %q is not in the parameter store of region %s: there is no parameter of that name, "+
				"or none of that version or label. Check name, region and account; a name with slashes begins with one.", key.Var, region),
		}}
	}
	return component.Reading{Text: secret.Text(sdk.ToString(p.Value)), Public: p.Type != types.ParameterTypeSecureString}
}

// unknown says which parameters of a key are not known, such as name for path.
func unknown(params map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "path" {
			return fmt.Sprintf(" It has %q, which this source does not know.", name)
		}
	}
	return ""
}

// Close implements [component.Sourcer].
func (s *sourcer) Close(context.Context) error { return nil }

// at points a problem at an attribute, unless it names one itself.
func at(attr string, err error) error {
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "" {
		return err
	}
	located := *problem
	located.Attr = attr
	return &located
}
