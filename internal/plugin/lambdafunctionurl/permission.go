package lambdafunctionurl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// statementPrefix begins the names of our statements in an alias's policy.
const statementPrefix = "deploy-action-url-"

// permissions returns what an alias's policy must say: a URL needs both. What a
// statement says is in its name, for AWS words it in several ways.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (c *Config) permissions() []lambda.AddPermissionInput {
	auth := types.FunctionUrlAuthType(c.AuthType)
	name := func(action string) *string {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", action, c.Principal, auth))
		return new(statementPrefix + hex.EncodeToString(sum[:6]))
	}
	const url, invoke = "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"
	return []lambda.AddPermissionInput{
		{StatementId: name(url), Action: new(url), Principal: &c.Principal, FunctionUrlAuthType: auth},
		{StatementId: name(invoke), Action: new(invoke), Principal: &c.Principal, InvokedViaFunctionUrl: new(true)},
	}
}

// statements returns the names of our statements in the alias's policy.
func (c *client) statements(ctx context.Context) ([]string, error) {
	answer, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &c.function, Qualifier: &c.alias})
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var policy struct{ Statement []struct{ Sid string } }
	if err := json.Unmarshal([]byte(sdk.ToString(answer.Policy)), &policy); err != nil {
		return nil, fmt.Errorf("reading the policy of %s:%s: %w", c.function, c.alias, err)
	}
	var names []string
	for _, statement := range policy.Statement {
		if strings.HasPrefix(statement.Sid, statementPrefix) {
			names = append(names, statement.Sid)
		}
	}
	return names, nil
}

// permit adds the statements that a policy lacks.
func (c *client) permit(ctx context.Context, have []string, want []lambda.AddPermissionInput) error {
	for _, in := range want {
		if slices.Contains(have, *in.StatementId) {
			continue
		}
		in.FunctionName, in.Qualifier = &c.function, &c.alias
		_, err := c.AddPermission(ctx, &in)
		if err != nil && !conflicts(err) { // it exists: the answer to the first try was lost
			return err
		}
	}
	return nil
}

// forbid removes statements of ours that are not wanted any more.
func (c *client) forbid(ctx context.Context, have []string, want []lambda.AddPermissionInput) error {
	for _, name := range have {
		if slices.ContainsFunc(want, func(in lambda.AddPermissionInput) bool { return *in.StatementId == name }) {
			continue
		}
		_, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &c.function, Qualifier: &c.alias, StatementId: &name})
		if err != nil && !gone(err) {
			return err
		}
	}
	return nil
}
