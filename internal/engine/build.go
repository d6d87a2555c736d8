package engine

import (
	"context"
	"maps"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
)

// build runs the builder.
func (r *run) build(ctx context.Context) error {
	op := r.begin(stageBuild, r.app.Build)
	return r.perform(ctx, op, func(ctx context.Context, op *operation) error {
		repository, err := r.repository(ctx)
		if err != nil {
			return err
		}
		builder, done, err := open(op, r.builder, r.app.Build.Decode(r.scope))
		if err != nil {
			return err
		}
		defer done()
		made, err := builder.Build(ctx, component.BuildRequest{App: r.app.App, Repository: repository, Label: op.label})
		if err != nil {
			return op.locate(err)
		}
		r.result.Outcome = Changed
		return op.makes(made)
	})
}

// label takes what a builder says of its artifact, for its own record and that
// of the push.
func (op *operation) label(key, value string) {
	if op.run.artifactLabels == nil {
		op.run.artifactLabels = map[string]string{}
	}
	op.run.artifactLabels[key] = value
	op.addLabels(op.run.artifactLabels)
}

// addLabels adds labels to the record, which keeps those that it has.
func (op *operation) addLabels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	all := maps.Clone(labels)
	maps.Copy(all, op.record.Labels)
	op.record.Labels = all
}

// makes takes over the artifact that a stage made.
func (op *operation) makes(made artifact.Artifact) error {
	op.run.takes(made, op.record.ID)
	op.record.Digest = digestOf(made)
	portable, ok := op.run.portable(made)
	if !ok {
		return nil
	}
	raw, err := artifact.Encode(portable)
	if err != nil {
		return err
	}
	op.record.Result = raw
	return nil
}

// takes makes an artifact what the following stages work with.
func (r *run) takes(made artifact.Artifact, record string) {
	r.artifact, r.artifactRecord = made, record
	r.scope = r.scope.WithArtifact(made.Vars())
	if image, ok := made.(artifact.Image); ok {
		r.result.Image, r.result.Digest = image.Reference(), image.Digest
	}
}

// portable returns the artifact as a record may hold it: without what exists
// only in this job. A local image is nothing to a later one: ok is false.
func (r *run) portable(made artifact.Artifact) (portable artifact.Artifact, ok bool) {
	switch a := made.(type) {
	case artifact.Image:
		return a, !a.Local()
	case artifact.Files:
		if relative, err := filepath.Rel(r.Project.Dir(), a.Path); err == nil {
			return artifact.Files{Path: relative}, true
		}
	}
	return made, true
}

// absolute is the inverse of portable.
func (r *run) absolute(recorded artifact.Artifact) artifact.Artifact {
	if files, ok := recorded.(artifact.Files); ok && !filepath.IsAbs(files.Path) {
		return artifact.Files{Path: filepath.Join(r.Project.Dir(), files.Path)}
	}
	return recorded
}

// repository returns where push will store; nil where nothing is pushed, or when
// the registry's configuration needs the artifact that is not there yet.
func (r *run) repository(ctx context.Context) (*artifact.Repository, error) {
	if r.registry == nil || r.options.NoPush {
		return nil, nil
	}
	op := &operation{run: r, stage: r.app.Push, plugin: r.plugins[stagePush]}
	if !r.embedded {
		if complete, _ := r.app.Push.Check(r.scope, r.registry.Config()); !complete {
			return nil, nil
		}
	}
	registry, done, err := open(op, r.registry, r.pushDecode())
	if err != nil {
		return nil, err
	}
	defer done()
	repository, err := registry.Repository(ctx, r.app.App)
	return repository, op.locate(err)
}

func (r *run) pushDecode() component.Decode {
	if r.embedded {
		return config.Reopen(nil)
	}
	return r.app.Push.Decode(r.scope)
}

// push runs the registry. Without one the build's artifact is what platforms
// are given.
func (r *run) push(ctx context.Context) error {
	op := r.begin(stagePush, r.app.Push)
	op.record.Parent = r.artifactRecord
	op.addLabels(r.artifactLabels)
	if r.registry == nil {
		op.record.Plugin = r.plugins[stageBuild].Name
		return recorded(func(context.Context, *operation) error { return op.makes(r.artifact) })(ctx, op)
	}
	if r.embedded {
		op.record.Plugin = embeddedPlugin
	}
	return r.perform(ctx, op, func(ctx context.Context, op *operation) error {
		registry, done, err := open(op, r.registry, r.pushDecode())
		if err != nil {
			return err
		}
		defer done()
		pushed, err := registry.Push(ctx, component.PushRequest[artifact.Artifact]{App: r.app.App, Artifact: r.artifact})
		if err != nil {
			return op.locate(err)
		}
		r.result.Outcome = Changed
		return op.makes(pushed)
	})
}

// embeddedPlugin stands in records for the registry that no block names.
const embeddedPlugin = "embedded"

func digestOf(a artifact.Artifact) string {
	if image, ok := a.(artifact.Image); ok {
		return image.Digest
	}
	return ""
}

func isImage(b *component.BuilderSpec) bool {
	_, ok := b.Makes().(artifact.Image)
	return ok
}
