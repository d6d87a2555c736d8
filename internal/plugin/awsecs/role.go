package awsecs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// role is a role that tasks run with.
type role struct {
	name, attr string
	named      bool     // the file names it
	policies   []string // ARNs that it must have if it is ours
	reads      bool     // it must be allowed to read our secrets

	arn      string // "" while it is missing
	ours     bool
	attached []string
	readable bool // it may read our secrets
}

// executionRole is the role by which ECS starts tasks, as it should be.
func (w *work) executionRole() *role {
	return &role{
		name: cmp.Or(w.cfg.ExecutionRoleName, aws.Name(w.app, 60)+"-ecs"), attr: "execution_role_name",
		named:    w.cfg.ExecutionRoleName != "",
		policies: []string{"arn:" + partition(w.region) + ":iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"},
		reads:    true,
	}
}

// taskRole is the app's own role, as it should be; nil where it has none.
func (w *work) taskRole() *role {
	if w.cfg.TaskRoleName == "" && len(w.cfg.TaskRolePolicyARNs) == 0 {
		return nil
	}
	return &role{
		name: cmp.Or(w.cfg.TaskRoleName, aws.Name(w.app, 59)+"-task"), attr: "task_role_name",
		named: w.cfg.TaskRoleName != "", policies: w.cfg.TaskRolePolicyARNs,
	}
}

// partition returns the part of AWS that a region is in, as ARNs name it.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// lookRole fills in what there is of a role.
func (w *work) lookRole(ctx context.Context, r *role) error {
	out, err := w.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.name})
	if _, missing := errors.AsType[*types.NoSuchEntityException](err); missing {
		if r.attr == "task_role_name" && len(r.policies) == 0 {
			return &diag.Problem{
				Summary: fmt.Sprintf("There is no role %q", r.name),
				Detail:  fmt.Sprintf("The account has no role %q. Make it, correct the name, or name policies with task_role_policy_arns to have it made.", r.name),
				Attr:    r.attr,
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.arn, r.ours = sdk.ToString(out.Role.Arn), aws.Shared(readIAM(out.Role.Tags), w.app)
	if !r.ours {
		return r.foreign()
	}
	attached, err := w.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &r.name})
	if err != nil {
		return err
	}
	for _, p := range attached.AttachedPolicies {
		r.attached = append(r.attached, sdk.ToString(p.PolicyArn))
	}
	if !r.reads {
		return nil
	}
	_, err = w.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &r.name, PolicyName: new(secretsPolicy)})
	if _, missing := errors.AsType[*types.NoSuchEntityException](err); missing {
		return nil
	}
	r.readable = err == nil
	return err
}

// foreign says what follows from a role's being somebody else's: it is used if
// the file names it, and is never changed.
func (r *role) foreign() error {
	if !r.named {
		return &diag.Problem{
			Summary: fmt.Sprintf("Role %q is not ours", r.name),
			Detail:  fmt.Sprintf("The account has a role %q that was not made for this app. Name it, or another one, with %s to have it used.", r.name, r.attr),
			Attr:    r.attr,
		}
	}
	if r.attr == "task_role_name" && len(r.policies) > 0 {
		return &diag.Problem{
			Summary: fmt.Sprintf("Role %q is not ours to give policies to", r.name),
			Detail: fmt.Sprintf("The role %q was not made for this app, so it is never changed. Attach the policies to it yourself and remove "+
				"task_role_policy_arns, or remove task_role_name to have a role made for them.", r.name),
			Attr: "task_role_policy_arns",
		}
	}
	return nil
}

// lacks reports whether something of a role is still to be made.
func (r *role) lacks() bool {
	return r.arn == "" || r.ours && (len(r.unattached()) > 0 || r.reads && !r.readable)
}

// unattached returns the policies that are still to be attached.
func (r *role) unattached() []string {
	return slices.DeleteFunc(slices.Clone(r.policies), func(p string) bool { return slices.Contains(r.attached, p) })
}

// secretsPolicy is the name of the policy of an execution role by which our
// secrets can be read. It is put last, so a role that has it is complete.
const secretsPolicy = "deploy-action-secrets"

// completeRole makes what a role lacks.
func (w *work) completeRole(ctx context.Context, r *role) error {
	if r.arn == "" {
		out, err := w.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: &r.name, AssumeRolePolicyDocument: new(trust), Tags: tagsIAM(aws.AppTags(w.app)),
			Description: new("Made by deploy-action for tasks of " + w.app.Name),
		})
		if err != nil {
			return err
		}
		r.arn, r.ours = sdk.ToString(out.Role.Arn), true
	}
	if !r.ours {
		return nil
	}
	for _, policy := range r.unattached() {
		_, err := w.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &r.name, PolicyArn: &policy})
		if err != nil {
			return err
		}
	}
	if !r.reads || r.readable {
		return nil
	}
	return w.putPolicy(ctx, r, secretsPolicy, allowance("secretsmanager:GetSecretValue", w.secretsARN(r.arn)))
}

// trust lets ECS act with a role for its tasks.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// secretsARN matches the secrets of our deployments, in every region.
func (w *work) secretsARN(role string) string {
	parsed, err := arn.Parse(role)
	if err != nil {
		return "*" // no role of AWS has another form
	}
	return fmt.Sprintf("arn:%s:secretsmanager:*:%s:secret:%s*", parsed.Partition, parsed.AccountID, w.secretPrefix())
}

// statement is one of a policy.
type statement struct {
	Effect   string
	Action   []string
	Resource []string
}

// allowance is a statement that allows one action.
func allowance(action string, resources ...string) statement {
	return statement{"Allow", []string{action}, resources}
}

// putPolicy gives a role of ours a policy of its own.
func (w *work) putPolicy(ctx context.Context, r *role, name string, statements ...statement) error {
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		return err
	}
	_, err = w.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &r.name, PolicyName: &name, PolicyDocument: new(string(document))})
	return err
}

// permitSecrets lets the execution role read the secrets that the file names,
// for as long as the deployment exists.
func (w *work) permitSecrets(ctx context.Context, r *role, id string) error {
	arns := w.cfg.secretARNs()
	if !r.ours || len(arns) == 0 {
		return nil
	}
	var statements []statement
	for _, kind := range []struct{ service, action string }{
		{":ssm:", "ssm:GetParameters"}, {":secretsmanager:", "secretsmanager:GetSecretValue"},
	} {
		of := slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return !strings.Contains(arn, kind.service) })
		if len(of) > 0 {
			statements = append(statements, allowance(kind.action, of...))
		}
	}
	return w.putPolicy(ctx, r, id, statements...)
}

// secretARNs returns the secrets that the file names, without the parts of
// them that it asks for.
func (c Config) secretARNs() []string {
	all := slices.Collect(maps.Values(c.Secrets))
	for _, s := range c.Sidecars {
		all = slices.AppendSeq(all, maps.Values(s.Secrets))
	}
	for i, text := range all {
		// arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, and then KEY:STAGE:VERSION
		if parts := strings.Split(text, ":"); len(parts) > 7 && parts[2] == "secretsmanager" {
			all[i] = strings.Join(parts[:7], ":")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// forbidSecrets takes back what permitSecrets gave.
func (w *work) forbidSecrets(ctx context.Context, id string) error {
	r := w.executionRole()
	if len(w.cfg.secretARNs()) == 0 {
		return nil
	}
	if ours, err := w.ownRole(ctx, r.name); err != nil || !ours {
		return err
	}
	_, err := w.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &r.name, PolicyName: &id})
	return unlessMissing(err)
}

// ownRole reports whether a role exists and is the app's.
func (w *work) ownRole(ctx context.Context, name string) (bool, error) {
	out, err := w.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return false, unlessMissing(err)
	}
	return aws.Shared(readIAM(out.Role.Tags), w.app), nil
}

func unlessMissing(err error) error {
	if _, missing := errors.AsType[*types.NoSuchEntityException](err); missing {
		return nil
	}
	return err
}

// removeRole removes a role if it is the app's.
func (w *work) removeRole(ctx context.Context, name string) error {
	if ours, err := w.ownRole(ctx, name); err != nil || !ours {
		return err
	}
	attached, err := w.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return unlessMissing(err)
	}
	for _, p := range attached.AttachedPolicies {
		_, err := w.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: p.PolicyArn})
		if unlessMissing(err) != nil {
			return err
		}
	}
	inline, err := w.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		return unlessMissing(err)
	}
	for _, policy := range inline.PolicyNames {
		_, err := w.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy})
		if unlessMissing(err) != nil {
			return err
		}
	}
	_, err = w.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
	return unlessMissing(err)
}

// tagsIAM makes tags for IAM.
func tagsIAM(tags map[string]string) []types.Tag {
	return labelled(tags, func(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} })
}

// readIAM returns tags of IAM as a map.
func readIAM(tags []types.Tag) map[string]string {
	return read(tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value })
}
