package lambdafunctionurl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// routing is where an alias sends calls: to its version, but for the shares of
// others. Lambda permits one other.
type routing struct {
	version string
	shares  map[string]float64
}

// routed reads an alias.
func routed(alias *lambda.GetAliasOutput) routing {
	r := routing{version: sdk.ToString(alias.FunctionVersion)}
	if alias.RoutingConfig != nil {
		r.shares = alias.RoutingConfig.AdditionalVersionWeights
	}
	return r
}

// to returns the routing that gives a version its percentage and the rest to
// what serves now: the version of the alias, or, where that is the one whose
// share changes, the other.
func (r routing) to(version string, percent int) routing {
	rest := r.version
	if rest == version {
		rest = ""
		for _, other := range slices.Sorted(maps.Keys(r.shares)) {
			rest = other
		}
	}
	if percent >= 100 || rest == "" {
		return routing{version: version}
	}
	return routing{version: rest, shares: map[string]float64{version: float64(percent) / 100}}
}

// equal reports whether two routings send the same calls to the same versions.
func (r routing) equal(other routing) bool {
	return r.version == other.version && maps.Equal(r.shares, other.shares)
}

// String says where calls go.
func (r routing) String() string {
	parts := []string{"version " + r.version}
	for _, version := range slices.Sorted(maps.Keys(r.shares)) {
		parts = append(parts, fmt.Sprintf("%.0f%% to version %s", 100*r.shares[version], version))
	}
	return strings.Join(parts, ", ")
}

// config is the routing as the API takes it. Without shares it is empty, which
// takes earlier ones away.
func (r routing) config() *types.AliasRoutingConfiguration {
	shares := r.shares
	if shares == nil {
		shares = map[string]float64{}
	}
	return &types.AliasRoutingConfiguration{AdditionalVersionWeights: shares}
}

// route points an alias, or makes it.
func (c *client) route(ctx context.Context, now *lambda.GetAliasOutput, want routing) error {
	if now == nil {
		err := c.busy(ctx, func(ctx context.Context) error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{
				FunctionName: &c.function, Name: &c.alias, FunctionVersion: &want.version, RoutingConfig: want.config(),
				Description: &c.mark,
			})
			if !conflicts(err) {
				return err
			}
			// Either it exists, the answer to the first try being lost, or the
			// function is being changed.
			found, failed := c.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &c.function, Name: &c.alias})
			if failed == nil {
				now = found
				return nil
			}
			return err
		})
		if err != nil || now == nil {
			return err
		}
	}
	if routed(now).equal(want) {
		return nil
	}
	return c.busy(ctx, func(ctx context.Context) error {
		_, err := c.UpdateAlias(ctx, &lambda.UpdateAliasInput{
			FunctionName: &c.function, Name: &c.alias, FunctionVersion: &want.version, RoutingConfig: want.config(),
		})
		return err
	})
}

// busy makes a call that Lambda refuses while the function is being changed.
func (c *client) busy(ctx context.Context, call func(context.Context) error) error {
	return retry.Patiently(ctx, patience, func(ctx context.Context) error {
		err := call(ctx)
		if conflicts(err) {
			return retry.After(err, pause)
		}
		return err
	})
}

func conflicts(err error) bool {
	_, conflict := errors.AsType[*types.ResourceConflictException](err)
	return conflict
}

// gone reports whether AWS says that something does not exist.
func gone(err error) bool {
	_, none := errors.AsType[*types.ResourceNotFoundException](err)
	return none
}
