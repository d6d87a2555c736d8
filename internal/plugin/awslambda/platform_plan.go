package awslambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	want, err := p.wanted(req)
	if err != nil {
		return component.Plan{}, err
	}
	c, err := p.client(ctx)
	if err != nil {
		return component.Plan{}, err
	}
	found, err := c.look(ctx, want.name)
	if err != nil {
		return component.Plan{}, err
	}
	if err := errors.Join(found.own(req.App), found.fits(want)); err != nil {
		return component.Plan{}, err
	}
	var plan component.Plan
	change := func(action component.Action, subject, reason string) {
		plan.Changes = append(plan.Changes, component.Change{Action: action, Subject: subject, Reason: reason})
	}
	ownRole := roleName(req.App)
	if found == nil {
		change(component.Create, "log-group/"+logGroup(want.name), "")
	}
	if p.cfg.IAMRole == "" && (found == nil || !strings.HasSuffix(sdk.ToString(found.Role), ":role/"+ownRole)) {
		change(component.Create, "role/"+ownRole, "may write logs and nothing else; name another with iam_role")
	}
	if found == nil {
		change(component.Create, "function/"+want.name, fmt.Sprintf("%d MB, %d s, %s", p.cfg.Memory, p.cfg.Timeout, want.architecture))
	} else {
		change(component.Update, "function/"+want.name, strings.Join(p.differences(want, found), "; "))
	}
	change(component.Create, "version/"+want.name, "takes no traffic until it is released")
	if p.cfg.targetGroup() {
		subject := "target-group/" + req.ID
		if req.ID == "" {
			subject = "target-group/" + component.Label(req.App.Name, 19) // the ID that a deploy makes begins so
		}
		change(component.Create, subject, "")
	}
	return plan, nil
}

// differences says what of a function changes, without values of its
// environment.
func (p *platform) differences(want *wanted, found *function) []string {
	var all []string
	differs := func(what string, before, after any) {
		if before != after {
			all = append(all, fmt.Sprintf("%s %v to %v", what, before, after))
		}
	}
	if found.image != want.image || want.image == "" && sdk.ToString(found.CodeSha256) != want.code {
		all = append(all, "new code")
	}
	differs("memory", sdk.ToInt32(found.MemorySize), int32(p.cfg.Memory))
	differs("timeout", sdk.ToInt32(found.Timeout), int32(p.cfg.Timeout))
	if found.EphemeralStorage != nil {
		differs("storage", sdk.ToInt32(found.EphemeralStorage.Size), int32(p.cfg.StorageMB))
	}
	if len(found.Architectures) > 0 {
		differs("architecture", found.Architectures[0], want.architecture)
	}
	if p.cfg.IAMRole != "" {
		differs("role", sdk.ToString(found.Role), p.cfg.IAMRole)
	}
	before := map[string]string{}
	if found.Environment != nil {
		before = found.Environment.Variables
	}
	for name, value := range want.env {
		if old, known := before[name]; !known || old != value {
			all = append(all, "variable "+name)
		}
	}
	for name := range before {
		if _, kept := want.env[name]; !kept {
			all = append(all, "without variable "+name)
		}
	}
	slices.Sort(all)
	return all
}
