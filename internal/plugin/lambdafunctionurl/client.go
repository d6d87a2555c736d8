package lambdafunctionurl

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Another change of the function is waited for.
const (
	patience = 5 * time.Minute
	pause    = 2 * time.Second
)

// client works with the alias of one app's function.
type client struct {
	*lambda.Client
	arn      string // of the function, without a version
	function string // its name
	alias    string
	mark     string // the alias's description, by which it is ours
}

// open returns access to the alias of an app in its workspace.
func open(ctx context.Context, h component.Host, app component.App, function string) (*client, error) {
	parsed, err := arn.Parse(function)
	name, isFunction := strings.CutPrefix(parsed.Resource, "function:")
	if err != nil || !isFunction || strings.Contains(name, ":") {
		return nil, fmt.Errorf("%q is not the ARN of a function", function)
	}
	session, err := aws.Open(h, parsed.Region)
	if err != nil {
		return nil, err
	}
	cfg, err := session.Config(ctx)
	if err != nil {
		return nil, err
	}
	return &client{
		lambda.NewFromConfig(cfg), function, name, component.Label(app.Workspace, 60),
		fmt.Sprintf("deploy-action.dev project=%s app=%s workspace=%s", app.Project, app.Name, app.Workspace),
	}, nil
}

// present is what there is of a release.
type present struct {
	tags       map[string]string // of the function
	alias      *lambda.GetAliasOutput
	statements []string
	url        *lambda.GetFunctionUrlConfigOutput
}

// look reads what there is, all at once.
func (c *client) look(ctx context.Context) (*present, error) {
	now := &present{}
	calls, inner := errgroup.WithContext(ctx)
	calls.Go(func() error {
		answer, err := c.ListTags(inner, &lambda.ListTagsInput{Resource: &c.arn})
		if err == nil {
			now.tags = answer.Tags
		}
		return err
	})
	calls.Go(func() error {
		alias, err := c.GetAlias(inner, &lambda.GetAliasInput{FunctionName: &c.function, Name: &c.alias})
		if err == nil {
			now.alias = alias
		}
		return ignoreGone(err)
	})
	calls.Go(func() error {
		url, err := c.GetFunctionUrlConfig(inner, &lambda.GetFunctionUrlConfigInput{FunctionName: &c.function, Qualifier: &c.alias})
		if err == nil {
			now.url = url
		}
		return ignoreGone(err)
	})
	calls.Go(func() (err error) {
		now.statements, err = c.statements(inner)
		return err
	})
	return now, calls.Wait()
}

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

// own returns a problem where the function or the alias is not the app's.
func (c *client) own(now *present, app component.App) error {
	switch {
	case !aws.Shared(now.tags, app):
		return &diag.Problem{
			Summary: fmt.Sprintf("The function %s is not that of %s", c.function, app.Name),
			Detail: fmt.Sprintf("It does not carry the tags of the app %s of the project %s in the workspace %s, and is not touched.",
				app.Name, app.Project, app.Workspace),
		}
	case now.alias != nil && !c.marked(now):
		return &diag.Problem{
			Summary: fmt.Sprintf("The function %s has another alias %q", c.function, c.alias),
			Detail: fmt.Sprintf("This program did not make it, and does not touch it. Remove it, or give it this description: %s",
				c.mark),
		}
	}
	return nil
}

// marked reports whether the alias that exists is ours.
func (c *client) marked(now *present) bool { return sdk.ToString(now.alias.Description) == c.mark }

// serve makes the URL of the alias, or changes it, and returns it.
func (c *client) serve(ctx context.Context, now *lambda.GetFunctionUrlConfigOutput, cfg *Config) (string, error) {
	auth := types.FunctionUrlAuthType(cfg.AuthType)
	if now == nil {
		var made *lambda.CreateFunctionUrlConfigOutput
		err := c.busy(ctx, func(ctx context.Context) (err error) {
			made, err = c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
				FunctionName: &c.function, Qualifier: &c.alias, AuthType: auth, Cors: cfg.cors(),
			})
			if !conflicts(err) {
				return err
			}
			// Either it exists, the answer to the first try being lost, or the
			// function is being changed.
			found, failed := c.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &c.function, Qualifier: &c.alias})
			if failed == nil {
				now = found
				return nil
			}
			return err
		})
		if err != nil {
			return "", err
		}
		if now == nil {
			return sdk.ToString(made.FunctionUrl), nil
		}
	}
	if now.AuthType == auth && sameCORS(now.Cors, cfg.cors()) {
		return sdk.ToString(now.FunctionUrl), nil
	}
	return sdk.ToString(now.FunctionUrl), c.busy(ctx, func(ctx context.Context) error {
		_, err := c.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{
			FunctionName: &c.function, Qualifier: &c.alias, AuthType: auth, Cors: cfg.cors(),
		})
		return err
	})
}
