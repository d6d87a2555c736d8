// Package vpc finds the network that an app is put in, and makes the security
// groups around it. Networks and subnets are never made: they are the account's.
package vpc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Client works with the networks of one region. Its methods may be called at
// the same time.
type Client struct{ cfg sdk.Config }

// New returns a client. It sends no request.
func New(cfg sdk.Config) *Client { return &Client{cfg} }

// api returns the client of the SDK. No field holds it: what can be reached from a
// value in an interface keeps its methods in the program, and EC2 has 800.
func (c *Client) api() *ec2.Client { return ec2.NewFromConfig(c.cfg) }

// Network is a virtual private cloud with some of its subnets, in the order of
// their zones.
type Network struct {
	VPC     string
	Subnets []string
}

// Network returns the network that subnets are in, or that of the region's
// default subnets where none are named. The attribute is the one that named
// them, for problems.
func (c *Client) Network(ctx context.Context, subnets []string, attr string) (Network, error) {
	request := &ec2.DescribeSubnetsInput{SubnetIds: subnets}
	if len(subnets) == 0 {
		request.Filters = []types.Filter{{Name: new("default-for-az"), Values: []string{"true"}}}
	}
	var found []types.Subnet
	err := aws.Pages(func(token *string) (*string, error) {
		request.NextToken = token
		page, err := c.api().DescribeSubnets(ctx, request)
		if err != nil {
			return nil, err
		}
		found = append(found, page.Subnets...)
		return page.NextToken, nil
	})
	if err != nil {
		return Network{}, err
	}
	if len(found) == 0 {
		return Network{}, &diag.Problem{
			Summary: "The region has no default subnets",
			Detail:  fmt.Sprintf("Nothing says where to put the app, and the region's default network is gone. Name the subnets with %s.", attr),
			Attr:    attr,
		}
	}
	slices.SortFunc(found, func(a, b types.Subnet) int {
		return cmp.Or(
			strings.Compare(sdk.ToString(a.AvailabilityZone), sdk.ToString(b.AvailabilityZone)),
			strings.Compare(sdk.ToString(a.SubnetId), sdk.ToString(b.SubnetId)),
		)
	})
	network := Network{VPC: sdk.ToString(found[0].VpcId)}
	for _, subnet := range found {
		if other := sdk.ToString(subnet.VpcId); other != network.VPC {
			return Network{}, &diag.Problem{
				Summary: "The subnets are in different networks",
				Detail:  fmt.Sprintf("Of %q some are in %s, others in %s. Name subnets of one VPC.", subnets, network.VPC, other),
				Attr:    attr,
			}
		}
		network.Subnets = append(network.Subnets, sdk.ToString(subnet.SubnetId))
	}
	return network, nil
}
