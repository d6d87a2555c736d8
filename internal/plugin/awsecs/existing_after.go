package awsecs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// statusExisting says how an existing service fares with a deployment.
func (w *work) statusExisting(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	missing := component.Health{State: component.Missing}
	s, err := w.describeService(ctx, w.serviceName(t.Deployment))
	if err != nil {
		return component.Health{}, err
	}
	if s == nil {
		missing.Message = fmt.Sprintf("the cluster %q has no service %q", w.cluster, w.serviceName(t.Deployment))
		return missing, nil
	}
	r, err := w.describeRevision(ctx, sdk.ToString(s.TaskDefinition))
	if err != nil {
		return component.Health{}, err
	}
	if r != nil && r.id(w) == t.ID {
		health, err := w.health(ctx, s)
		health.Drift = drift(t.Deployment, s)
		return health, err
	}
	missing.Message = fmt.Sprintf("the service %q runs %s, which is not of this deployment", sdk.ToString(s.ServiceName), short(sdk.ToString(s.TaskDefinition)))
	return missing, nil
}

// serviceName is the service of a recorded deployment, or else the file's.
func (w *work) serviceName(d Deployment) string {
	if d.Service != "" {
		return d.Service
	}
	return w.cfg.Service
}

// findExisting returns what the service runs if a deploy of ours registered it,
// and what was registered since.
func (w *work) findExisting(ctx context.Context) ([]component.Target[Deployment], error) {
	s, err := w.describeService(ctx, w.cfg.Service)
	if err != nil {
		return nil, err
	}
	record := func(r revision) Deployment {
		return Deployment{Region: w.region, Cluster: w.cluster, Service: w.cfg.Service, TaskDefinition: r.arn, Existing: true}
	}
	if s == nil {
		return w.find(ctx, w.family(), record) // only secrets are found
	}
	running := sdk.ToString(s.TaskDefinition)
	found, err := w.find(ctx, family(running), record)
	// What the service ran before is superseded: the record knows of it.
	at := slices.IndexFunc(found, func(t component.Target[Deployment]) bool { return t.Deployment.TaskDefinition == running })
	if at < 0 && len(found) > 0 {
		at = 0
	}
	return found[:min(at+1, len(found))], err
}

// family returns the name of a task definition from the ARN of a revision.
func family(arn string) string {
	name, _, _ := strings.Cut(short(arn), ":")
	return name
}

// destroyExisting lets go of a deployment. The service goes on: what it runs
// stays with it, and is ours no more.
func (w *work) destroyExisting(ctx context.Context, t component.Target[Deployment]) error {
	return w.progress.Step(ctx, "Letting go of service "+w.serviceName(t.Deployment), func(ctx context.Context, _ component.Step) error {
		return w.drop(ctx, t.Deployment, func(id string) bool { return id == t.ID })
	})
}

// destroyExistingShared lets go of all deployments, superseded ones included.
func (w *work) destroyExistingShared(ctx context.Context) error {
	return w.drop(ctx, Deployment{}, func(string) bool { return true })
}

// mostRevisions is how many of our revisions of an existing service are kept
// for going back to.
const mostRevisions = 10

// trim removes our oldest revisions of an existing service.
func (w *work) trim(ctx context.Context) error {
	s, err := w.describeService(ctx, w.cfg.Service)
	if err != nil || s == nil {
		return err
	}
	own, err := w.ownRevisions(ctx, family(sdk.ToString(s.TaskDefinition)))
	if err != nil || len(own) <= mostRevisions {
		return err
	}
	var old []string
	for _, r := range own[mostRevisions:] {
		old = append(old, r.id(w))
	}
	return w.drop(ctx, Deployment{}, func(id string) bool { return slices.Contains(old, id) })
}

// drop removes the revisions and secrets of deployments. What a service runs
// only loses our tags.
func (w *work) drop(ctx context.Context, d Deployment, dropped func(id string) bool) error {
	s, err := w.describeService(ctx, w.serviceName(d))
	if err != nil {
		return err
	}
	running := map[string]bool{}
	of := d.TaskDefinition
	if s != nil {
		of = sdk.ToString(s.TaskDefinition)
		running[of] = true
		for _, deployment := range s.Deployments {
			running[sdk.ToString(deployment.TaskDefinition)] = true
		}
	}
	var own []revision
	if of != "" {
		if own, err = w.ownRevisions(ctx, family(of)); err != nil {
			return err
		}
	}
	var stay []revision // what needs its secrets
	for _, r := range own {
		if !dropped(r.id(w)) || running[r.arn] {
			stay = append(stay, r)
		}
	}
	if err := w.dropSecrets(ctx, stay, dropped); err != nil {
		return err
	}
	for _, r := range own {
		switch {
		case !dropped(r.id(w)):
		case running[r.arn]:
			_, err = w.ecs.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: &r.arn, TagKeys: ourTags})
		default:
			err = w.removeRevision(ctx, r.arn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ourTags are the keys of all tags by which something is a deployment's.
var ourTags = []string{aws.TagProject, aws.TagApp, aws.TagWorkspace, aws.TagDeployment, aws.TagSequence}

// dropSecrets removes the secrets of deployments. One that a revision needs
// stays for as long as that does, or for good if we let go of both.
func (w *work) dropSecrets(ctx context.Context, stay []revision, dropped func(id string) bool) error {
	secrets, err := w.allSecrets(ctx)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		if !dropped(s.id) {
			continue
		}
		at := slices.IndexFunc(stay, func(r revision) bool { return needs(r.def, s.arn) })
		switch {
		case at < 0:
			err = w.deleteSecret(ctx, s.arn)
		case dropped(stay[at].id(w)):
			_, err = w.secrets.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: &s.arn, TagKeys: ourTags})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// needs reports whether a revision refers to a secret.
func needs(def *types.TaskDefinition, secret string) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return slices.ContainsFunc(c.Secrets, func(s types.Secret) bool { return strings.HasPrefix(sdk.ToString(s.ValueFrom), secret+":") })
	})
}
