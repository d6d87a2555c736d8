package vpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// SecurityGroup is one that the deployments of an app share.
type SecurityGroup struct {
	App     component.App
	Name    string // which no other security group of the network has
	VPC     string
	Ingress []Ingress
}

// Ingress lets TCP connections in.
type Ingress struct {
	Port int
	From string // the ID of a security group; "" for everyone
}

// Ensure makes a security group, or completes the one that an earlier attempt
// made, and returns its ID. Rules that others have added stay.
func (c *Client) Ensure(ctx context.Context, g SecurityGroup) (string, error) {
	found, err := c.find(ctx, g.App, g.Name, g.VPC)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		id, err := c.create(ctx, g)
		if err != nil {
			return "", err
		}
		return id, c.permit(ctx, id, permissions(g.Ingress))
	}
	id := sdk.ToString(found[0].GroupId)
	missing := slices.DeleteFunc(permissions(g.Ingress), func(want types.IpPermission) bool {
		return slices.ContainsFunc(found[0].IpPermissions, func(has types.IpPermission) bool { return covers(has, want) })
	})
	return id, c.permit(ctx, id, missing)
}

// find returns the security groups of a name that are an app's: in one network,
// or in all where vpc is "".
func (c *Client) find(ctx context.Context, app component.App, name, vpc string) ([]types.SecurityGroup, error) {
	filters := append(Filters(aws.AppTags(app)), types.Filter{Name: new("group-name"), Values: []string{name}})
	if vpc != "" {
		filters = append(filters, types.Filter{Name: new("vpc-id"), Values: []string{vpc}})
	}
	answer, err := c.api().DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: filters})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(answer.SecurityGroups, func(g types.SecurityGroup) bool { return !aws.Shared(Tags(g.Tags), app) }), nil
}

func (c *Client) create(ctx context.Context, g SecurityGroup) (string, error) {
	made, err := c.api().CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: &g.Name, VpcId: &g.VPC, Description: new("Made by deploy-action for " + component.Label(g.App.Name, 200)),
		TagSpecifications: Specification(types.ResourceTypeSecurityGroup, aws.AppTags(g.App)),
	})
	if aws.Code(err) == "InvalidGroup.Duplicate" {
		// An answer that was lost is asked for again by the SDK, in vain.
		found, unread := c.find(ctx, g.App, g.Name, g.VPC)
		if unread != nil {
			return "", unread
		}
		if len(found) > 0 {
			return sdk.ToString(found[0].GroupId), nil
		}
		return "", &diag.Problem{
			Summary: "The name of a security group is taken",
			Detail: fmt.Sprintf("The network %s has a security group %q that this program did not make for %s in the workspace %s. "+
				"Rename or remove it, or name security groups of your own.", g.VPC, g.Name, g.App.Name, g.App.Workspace),
			Err: err,
		}
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(made.GroupId), nil
}

// permit adds rules to a group. A group that was just made may not be known
// everywhere yet.
func (c *Client) permit(ctx context.Context, id string, rules []types.IpPermission) error {
	if len(rules) == 0 {
		return nil
	}
	return retry.Do(ctx, func(ctx context.Context) error {
		_, err := c.api().AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: rules})
		switch aws.Code(err) {
		case "InvalidPermission.Duplicate":
			return nil
		case "InvalidGroup.NotFound", "InvalidGroupId.NotFound":
			return retry.Transient(err)
		}
		return err
	})
}

// permissions are the rules of a group as the API has them.
func permissions(ingress []Ingress) []types.IpPermission {
	var rules []types.IpPermission
	for _, in := range ingress {
		rule := types.IpPermission{IpProtocol: new("tcp"), FromPort: new(int32(in.Port)), ToPort: new(int32(in.Port))}
		if in.From != "" {
			rule.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: new(in.From)}}
		} else {
			rule.IpRanges = []types.IpRange{{CidrIp: new("0.0.0.0/0")}}
		}
		rules = append(rules, rule)
	}
	return rules
}

// covers reports whether a rule lets in what another one does.
func covers(has, want types.IpPermission) bool {
	if sdk.ToString(has.IpProtocol) != "tcp" || sdk.ToInt32(has.FromPort) != sdk.ToInt32(want.FromPort) || sdk.ToInt32(has.ToPort) != sdk.ToInt32(want.ToPort) {
		return false
	}
	for _, from := range want.UserIdGroupPairs {
		if !slices.ContainsFunc(has.UserIdGroupPairs, func(p types.UserIdGroupPair) bool {
			return sdk.ToString(p.GroupId) == sdk.ToString(from.GroupId)
		}) {
			return false
		}
	}
	for _, from := range want.IpRanges {
		if !slices.ContainsFunc(has.IpRanges, func(r types.IpRange) bool { return sdk.ToString(r.CidrIp) == sdk.ToString(from.CidrIp) }) {
			return false
		}
	}
	return true
}

// release is how long a security group may be in use after what used it was
// removed: a load balancer gives its addresses back in minutes.
const release = 5 * time.Minute

var errRelease = errors.New("it is in use for too long")

// Remove removes an app's security group of a name, in whichever network it
// is. It waits while something that is being removed still uses it. What is
// gone, or is not the app's, is no error.
func (c *Client) Remove(ctx context.Context, app component.App, name string, step component.Step) error {
	found, err := c.find(ctx, app, name, "")
	if err != nil {
		return err
	}
	for _, group := range found {
		if err := c.remove(ctx, sdk.ToString(group.GroupId), name, step); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) remove(ctx context.Context, id, name string, step component.Step) error {
	bounded, cancel := context.WithTimeoutCause(ctx, release, errRelease)
	defer cancel()
	var last error
	err := retry.Poll(bounded, 2*time.Second, func(ctx context.Context) (bool, error) {
		_, err := c.api().DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})
		switch aws.Code(err) {
		case "InvalidGroup.NotFound", "InvalidGroupId.NotFound":
			return true, nil
		case "DependencyViolation", "InvalidGroup.InUse", "ResourceInUse":
			last = err
			step.Update("security group %s is still in use", name)
			return false, nil
		}
		return err == nil, err
	})
	if err == nil || last == nil || !errors.Is(err, errRelease) && !errors.Is(context.Cause(bounded), errRelease) {
		return err
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The security group %s is still in use", name),
		Detail: fmt.Sprintf("Something outside this app uses %s, or the rules of another group name it, so AWS did not let it go in %s. "+
			"Find it in the console by the group's ID among the network interfaces, and run the same command again.", id, release),
		Err: last,
	}
}

// Filters ask for what has all of some tags.
func Filters(tags map[string]string) []types.Filter {
	var filters []types.Filter
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		// The wildcards of a filter's value are for themselves here.
		value := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(tags[key])
		filters = append(filters, types.Filter{Name: new("tag:" + key), Values: []string{value}})
	}
	return filters
}

// Specification gives something its tags in the call that makes it.
func Specification(kind types.ResourceType, tags map[string]string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: tagList(tags)}}
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: new(key), Value: new(tags[key])})
	}
	return list
}

// Tags reads tags as the EC2 service returns them.
func Tags(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, tag := range list {
		tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	return tags
}
