package awsecs

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// projectTags are the tags of what all apps of a project share.
func (w *work) projectTags() map[string]string {
	return map[string]string{aws.TagProject: w.app.Project}
}

// ofProject reports whether something is shared by the apps of our project, and
// is no single app's.
func (w *work) ofProject(tags map[string]string) bool {
	_, single := tags[aws.TagApp]
	return tags[aws.TagProject] == w.app.Project && !single
}

// findCluster returns the cluster, or nil where there is none.
func (w *work) findCluster(ctx context.Context) (*types.Cluster, error) {
	out, err := w.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{
		Clusters: []string{w.cluster}, Include: []types.ClusterField{types.ClusterFieldTags},
	})
	if err != nil {
		return nil, err
	}
	for _, c := range out.Clusters {
		if sdk.ToString(c.Status) != "INACTIVE" { // which is how ECS remembers one that was deleted
			return &c, nil
		}
	}
	return nil, nil
}

// noCluster says that a cluster is missing which nobody makes.
func (w *work) noCluster() error {
	return &diag.Problem{
		Summary: fmt.Sprintf("There is no cluster %q", w.cluster),
		Detail: fmt.Sprintf("ECS knows no cluster %q in %s. One with machines is not made by a deploy: make it before, or correct the name or the region.",
			w.cluster, w.region),
		Attr: "cluster",
	}
}

// makeCluster makes the cluster. Making one that exists is no error for ECS.
func (w *work) makeCluster(ctx context.Context) error {
	_, err := w.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &w.cluster, Tags: tagsECS(w.projectTags())})
	return err
}

// drainTime is how long tasks may take to end before their cluster is left
// alone.
const drainTime = 3 * time.Minute

// removeCluster removes the cluster if our project made it and nothing is in it
// any more.
func (w *work) removeCluster(ctx context.Context) error {
	waiting, cancel := context.WithTimeoutCause(ctx, drainTime, errInUse)
	defer cancel()
	err := retry.Poll(waiting, w.pace, func(ctx context.Context) (bool, error) {
		c, err := w.findCluster(ctx)
		if err != nil || c == nil || !w.ofProject(readECS(c.Tags)) || c.ActiveServicesCount > 0 || c.RegisteredContainerInstancesCount > 0 {
			return true, err
		}
		if c.RunningTasksCount+c.PendingTasksCount > 0 {
			return false, nil // they were told to end
		}
		_, err = w.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: c.ClusterArn})
		return true, unlessInUse(err)
	})
	if errors.Is(err, errInUse) {
		return nil // it costs nothing, and the next destroy in this project removes it
	}
	return err
}

// errInUse ends the wait for what others use.
var errInUse = errors.New("in use")

// unlessInUse returns what went wrong with removing a cluster, but for its
// being gone or in use by others, who came while we looked.
func unlessInUse(err error) error {
	if _, ok := errors.AsType[*types.ClusterNotFoundException](err); ok {
		return nil
	}
	if _, ok := errors.AsType[*types.ClusterContainsServicesException](err); ok {
		return nil
	}
	if _, ok := errors.AsType[*types.ClusterContainsTasksException](err); ok {
		return nil
	}
	return err
}
