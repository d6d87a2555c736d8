package awsecs

import (
	"context"
	"maps"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
)

// client is what an operation works with in one region.
type client struct {
	region  string
	ecs     *ecs.Client
	iam     *iam.Client
	logs    *cloudwatchlogs.Client
	secrets *secretsmanager.Client
	elb     *elb.Client
	vpc     *vpc.Client
}

// connect returns the clients for a region, or for the one that the run works
// in where it is "".
func connect(ctx context.Context, h component.Host, region string) (*client, error) {
	session, err := aws.Open(h, region)
	if err != nil {
		return nil, err
	}
	cfg, err := session.Config(ctx)
	if err != nil {
		return nil, err
	}
	return &client{
		region: cfg.Region, ecs: ecs.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		logs: cloudwatchlogs.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg),
		elb: elb.New(cfg, h.Progress), vpc: vpc.New(cfg),
	}, nil
}

// labelled makes the tags of one service's SDK, in a fixed order.
func labelled[T any](tags map[string]string, tag func(key, value *string) T) []T {
	var all []T
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, tag(new(key), new(tags[key])))
	}
	return all
}

// read returns the tags of one service's SDK as a map.
func read[T any](tags []T, parts func(T) (key, value *string)) map[string]string {
	all := map[string]string{}
	for _, t := range tags {
		key, value := parts(t)
		all[sdk.ToString(key)] = sdk.ToString(value)
	}
	return all
}

// tagsECS makes tags for ECS.
func tagsECS(tags map[string]string) []types.Tag {
	return labelled(tags, func(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} })
}

// readECS returns tags of ECS as a map.
func readECS(tags []types.Tag) map[string]string {
	return read(tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value })
}
