package awslambda

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/deploy-action/deploy-action/internal/cloud/elb"
)

// client reaches the services of AWS that a function is made with.
type client struct {
	*lambda.Client
	iam    *iam.Client
	logs   *cloudwatchlogs.Client
	groups *elb.Client
	elb    *elbv2.Client
}

// client returns the clients. It sends no request.
func (p *platform) client(ctx context.Context) (*client, error) {
	cfg, err := p.session.Config(ctx)
	if err != nil {
		return nil, err
	}
	return &client{
		lambda.NewFromConfig(cfg), iam.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg),
		elb.New(cfg, p.host.Progress), elbv2.NewFromConfig(cfg),
	}, nil
}

// config is the configuration of a function, or of one of its versions. All
// calls that change one return it.
type config = lambda.GetFunctionConfigurationOutput
