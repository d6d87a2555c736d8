package awslambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// function is a function that exists, with its versions.
type function struct {
	*types.FunctionConfiguration
	image    string // as it was set; "" for files
	tags     map[string]string
	versions []types.FunctionConfiguration // without the one that changes
}

// look returns the function of a name; nil where there is none.
func (c *client) look(ctx context.Context, name string) (*function, error) {
	var (
		found    *lambda.GetFunctionOutput
		versions []types.FunctionConfiguration
	)
	calls, inner := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		found, err = c.GetFunction(inner, &lambda.GetFunctionInput{FunctionName: &name})
		return err
	})
	calls.Go(func() (err error) {
		versions, err = c.versions(inner, name)
		return err
	})
	if err := calls.Wait(); err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	if err := readable(found); err != nil {
		return nil, err
	}
	f := &function{FunctionConfiguration: found.Configuration, tags: found.Tags, versions: versions}
	if found.Code != nil {
		f.image = sdk.ToString(found.Code.ImageUri)
	}
	return f, nil
}

// readable returns a problem where AWS kept the tags of a function back: it
// would look like somebody else's.
func readable(found *lambda.GetFunctionOutput) error {
	if found.TagsError == nil {
		return nil
	}
	return &diag.Problem{
		Summary: "The tags of the function cannot be read",
		Detail: fmt.Sprintf("AWS says: %s (%s). Without its tags nobody knows whose the function is. Who deploys needs the permission lambda:ListTags.",
			strings.TrimRight(sdk.ToString(found.TagsError.Message), ". "), sdk.ToString(found.TagsError.ErrorCode)),
	}
}

// gone reports whether AWS says that something does not exist.
func gone(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// versions returns the published versions of a function.
func (c *client) versions(ctx context.Context, name string) ([]types.FunctionConfiguration, error) {
	var all []types.FunctionConfiguration
	pages := lambda.NewListVersionsByFunctionPaginator(c, &lambda.ListVersionsByFunctionInput{FunctionName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Versions...)
	}
	return slices.DeleteFunc(all, func(v types.FunctionConfiguration) bool { return sdk.ToString(v.Version) == latest }), nil
}

// latest is the version that changes.
const latest = "$LATEST"

// own returns a problem where a function is not the app's in its workspace.
func (f *function) own(app component.App) error {
	if f == nil || aws.Shared(f.tags, app) {
		return nil
	}
	whose := "carries none of this program's tags, so somebody else made it"
	if other := f.tags[aws.TagApp]; other != "" {
		whose = fmt.Sprintf("belongs to the app %q of the project %q in the workspace %q", other, f.tags[aws.TagProject], f.tags[aws.TagWorkspace])
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("There is another function %q", sdk.ToString(f.FunctionName)),
		Detail: fmt.Sprintf("It %s, and is not touched. Choose another name with function_name, such as function_name = \"%s-${workspace.name}\". "+
			"To hand the function over, give it these tags: %s.", whose, app.Name, tagText(aws.AppTags(app))),
		Attr: "function_name",
	}
}

func tagText(tags map[string]string) string {
	var all []string
	for name, value := range tags {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// await waits until a function, or a version of it, is in order, beginning with
// what is known of it. A change that failed is an error where strict.
func (c *client) await(ctx context.Context, step component.Step, now *config, qualifier string, strict bool) (*config, error) {
	name := now.FunctionName
	err := retry.Poll(ctx, time.Second, func(ctx context.Context) (bool, error) {
		if now == nil {
			var err error
			if now, err = c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name, Qualifier: text(qualifier)}); err != nil {
				return false, err
			}
		}
		settled, err := settled(now, strict)
		if err != nil || settled {
			return settled, err
		}
		step.Update("%s", waitsFor(now))
		now = nil
		return false, nil
	})
	return now, err
}

// text is nil for "".
func text(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// settled reports whether nothing is being done to a function. What failed is
// an error: the state for good, the last change where strict.
func settled(c *config, strict bool) (bool, error) {
	switch {
	case c.State == types.StateFailed && strict:
		return false, failure("The function cannot start", sdk.ToString(c.StateReason), string(c.StateReasonCode))
	case c.LastUpdateStatus == types.LastUpdateStatusFailed && strict:
		return false, failure("Lambda could not change the function", sdk.ToString(c.LastUpdateStatusReason), string(c.LastUpdateStatusReasonCode))
	}
	return c.State != types.StatePending && c.LastUpdateStatus != types.LastUpdateStatusInProgress, nil
}

// failure says why Lambda gave up, beginning with the reason.
func failure(what, reason, code string) error {
	reason = strings.TrimRight(reason, ". ")
	if reason == "" {
		reason = "AWS gives no reason"
	}
	return &diag.Problem{
		Summary: what + ": " + reason,
		Detail:  fmt.Sprintf("Lambda says %s (%s). %s", reason, code, hint(reason, code)),
	}
}

// hint says what helps against a reason that Lambda gives.
func hint(reason, code string) string {
	switch code {
	case "ImageAccessDenied":
		return "The repository's policy must let lambda.amazonaws.com get the image, and so must that of an encryption key."
	case "ImageDeleted":
		return "The image is no longer in its repository: a lifecycle rule may have removed it. Push it again."
	case "InvalidImage":
		return "Check the image's entry point and command, and that its files may be read by everyone."
	case "KMSKeyAccessDenied", "DisabledKMSKey", "InvalidStateKMSKey", "KMSKeyNotFound":
		return "Check kms_key_arn, and that the function's role may decrypt with that key."
	case "InsufficientRolePermissions", "InvalidSecurityGroup", "InvalidSubnet", "SubnetOutOfIPAddresses", "EniLimitExceeded":
		return "Check the function's network settings, and that its role may make network interfaces."
	}
	if strings.HasPrefix(code, "FunctionError") {
		return "The app failed while it started; its last lines are in the log."
	}
	return "When that is mended, deploy again."
}

// waitsFor says what is being done to a function.
func waitsFor(c *config) string {
	if c.State == types.StatePending {
		return strings.TrimSpace("state pending; " + sdk.ToString(c.StateReason))
	}
	return strings.TrimSpace("Lambda is changing the function; " + sdk.ToString(c.LastUpdateStatusReason))
}

// patience is how long another change of a function is waited for.
const patience = 5 * time.Minute

// whenFree makes a call that Lambda refuses while another one changes the same
// function.
func whenFree(ctx context.Context, call func(context.Context) error) error {
	return retry.Patiently(ctx, patience, func(ctx context.Context) error {
		err := call(ctx)
		if _, busy := errors.AsType[*types.ResourceConflictException](err); busy {
			return retry.After(err, 2*time.Second)
		}
		return err
	})
}
