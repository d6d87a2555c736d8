package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Records of Route 53 carry no tags. So beside each of ours stands a TXT record
// that says whose it is; both are made, changed and removed in one request,
// which takes effect as a whole.
const (
	markLabel  = "_deploy-action."
	markTTL    = 300
	recordType = types.RRTypeA
)

// record makes the domain's record, or has ours lead to the load balancer. One
// that is not ours must lead there already.
func (f *Front) record(ctx context.Context) error {
	s := f.settings
	if s.Zone == "" || s.Domain == "" {
		return nil
	}
	existing, marked, err := f.client.readRecord(ctx, s)
	if err != nil {
		return err
	}
	target := strings.ToLower(sdk.ToString(f.balancer.DNSName))
	right := existing != nil && existing.AliasTarget != nil &&
		strings.TrimPrefix(fqdn(sdk.ToString(existing.AliasTarget.DNSName)), "dualstack.") == fqdn(target)
	switch {
	case right:
		return nil
	case existing != nil && !marked:
		return &diag.Problem{
			Summary: fmt.Sprintf("The domain name %s is taken", s.Domain),
			Detail: fmt.Sprintf("The zone %s has a record for %q that this program did not make, and that does not lead to the load balancer %s. "+
				"Remove the record or let it lead there, choose another name, or leave out the zone to keep records by yourself.", s.Zone, s.Domain, target),
			Attr: s.Attrs.Domain,
		}
	}
	action := types.ChangeActionCreate // refused where somebody else was faster
	if marked {
		action = types.ChangeActionUpsert
	}
	alias := &types.ResourceRecordSet{Name: new(fqdn(s.Domain)), Type: recordType, AliasTarget: &types.AliasTarget{
		DNSName: &target, HostedZoneId: f.balancer.CanonicalHostedZoneId, EvaluateTargetHealth: false,
	}}
	return f.client.changeRecord(ctx, s, action, alias)
}

// removeRecord removes the domain's record, if it is the app's.
func (c *Client) removeRecord(ctx context.Context, s Settings) error {
	if s.Zone == "" || s.Domain == "" {
		return nil
	}
	existing, marked, err := c.readRecord(ctx, s)
	if _, gone := errors.AsType[*types.NoSuchHostedZone](err); gone {
		return nil
	}
	if err != nil || !marked {
		return err
	}
	return c.progress.Step(ctx, "Removing the record of "+s.Domain, func(ctx context.Context, _ component.Step) error {
		return c.changeRecord(ctx, s, types.ChangeActionDelete, existing)
	})
}

// changeRecord applies one change to the record and to the mark beside it. The
// record may be nil where only the mark is left.
func (c *Client) changeRecord(ctx context.Context, s Settings, action types.ChangeAction, record *types.ResourceRecordSet) error {
	changes := []types.Change{{Action: action, ResourceRecordSet: mark(s)}}
	if record != nil {
		changes = append(changes, types.Change{Action: action, ResourceRecordSet: record})
	}
	_, err := c.dns.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &s.Zone, ChangeBatch: &types.ChangeBatch{Changes: changes},
	})
	return err
}

// mark is the record that says whose the domain's record is.
func mark(s Settings) *types.ResourceRecordSet {
	var words []string
	tags := aws.AppTags(s.App)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		words = append(words, fmt.Sprintf(`"%s=%s"`, key, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(tags[key])))
	}
	return &types.ResourceRecordSet{
		Name: new(fqdn(markLabel + s.Domain)), Type: types.RRTypeTxt, TTL: new(int64(markTTL)),
		ResourceRecords: []types.ResourceRecord{{Value: new(strings.Join(words, " "))}},
	}
}

// readRecord returns the record of the domain, nil where there is none, and
// whether the mark beside it is the app's.
func (c *Client) readRecord(ctx context.Context, s Settings) (record *types.ResourceRecordSet, marked bool, err error) {
	record, err = c.recordSet(ctx, s, fqdn(s.Domain), recordType)
	if err != nil {
		return nil, false, err
	}
	want := mark(s)
	found, err := c.recordSet(ctx, s, sdk.ToString(want.Name), types.RRTypeTxt)
	if err != nil || found == nil || len(found.ResourceRecords) != 1 {
		return record, false, err
	}
	return record, sdk.ToString(found.ResourceRecords[0].Value) == sdk.ToString(want.ResourceRecords[0].Value), nil
}

// recordSet returns one record of the zone; nil where there is none.
func (c *Client) recordSet(ctx context.Context, s Settings, name string, kind types.RRType) (*types.ResourceRecordSet, error) {
	answer, err := c.dns.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: &s.Zone, StartRecordName: &name, StartRecordType: kind, MaxItems: new(int32(1)),
	})
	if err != nil || len(answer.ResourceRecordSets) == 0 {
		return nil, err
	}
	first := answer.ResourceRecordSets[0]
	if first.Type != kind || fqdn(sdk.ToString(first.Name)) != name {
		return nil, nil
	}
	return &first, nil
}

// fqdn is a name as Route 53 returns it. It writes a wildcard's star as \052.
func fqdn(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Replace(name, `\052`, "*", 1), ".")) + "."
}
