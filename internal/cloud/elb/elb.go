// Package elb works with Application Load Balancers for the plugins of AWS.
//
// A deployment has a target group of its own. An app has a front: the listener
// of a load balancer that is made for it, or of one that exists. In either all
// that says where the app's traffic goes is one rule with the app's tags; the
// listener's default action is never ours to change. Shifting traffic changes
// the weights of that rule's target groups, and going back does the same.
package elb

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Client works with the load balancers of one region. Its methods may be
// called at the same time.
type Client struct {
	elb      *elbv2.Client
	dns      *route53.Client
	network  *vpc.Client
	progress component.Progress
}

// New returns a client. It sends no request.
func New(cfg sdk.Config, progress component.Progress) *Client {
	return &Client{elbv2.NewFromConfig(cfg), route53.NewFromConfig(cfg), vpc.New(cfg), progress}
}

// tagsAtOnce is how many resources one request for tags may name.
const tagsAtOnce = 20

// tags returns the tags of resources by their ARN. What is gone has none.
func (c *Client) tags(ctx context.Context, arns ...string) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for batch := range slices.Chunk(arns, tagsAtOnce) {
		answer, err := c.elb.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: batch})
		if err != nil {
			return nil, err
		}
		for _, description := range answer.TagDescriptions {
			tags := map[string]string{}
			for _, tag := range description.Tags {
				tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
			}
			all[sdk.ToString(description.ResourceArn)] = tags
		}
	}
	return all, nil
}

// tagList returns tags as the API takes them.
func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for key, value := range tags {
		list = append(list, types.Tag{Key: new(key), Value: new(value)})
	}
	slices.SortFunc(list, func(a, b types.Tag) int {
		return strings.Compare(sdk.ToString(a.Key), sdk.ToString(b.Key))
	})
	return list
}
