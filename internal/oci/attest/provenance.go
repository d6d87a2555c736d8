package attest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	attestation "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/sbom"
	"github.com/deploy-action/deploy-action/internal/version"
)

const (
	statementType = "application/vnd.in-toto+json"
	slsaV1        = "https://slsa.dev/provenance/v1"
	home          = "https://github.com/deploy-action/deploy-action"
)

// Build is what is known of how an image was made.
type Build struct {
	Kind       string         // the heading in docs/supply-chain.md that says what the parameters mean
	Parameters map[string]any // what the user asked for: texts, lists of texts, and no secret
	Bases      []Base         // images that it was made of
	Folder     string         // in the repository that it was made from
	Started    time.Time
}

// Base is an image that others are made of.
type Base struct{ Name, Digest string }

// statement returns the provenance of an image or an index.
func (b Build) statement(subject sbom.Subject, finished time.Time, getenv func(string) string) (oci.Attachment, error) {
	outside, err := structpb.NewStruct(b.outside(getenv))
	if err != nil {
		return oci.Attachment{}, fmt.Errorf("writing provenance: %w", err)
	}
	inside, err := structpb.NewStruct(b.inside(getenv))
	if err != nil {
		return oci.Attachment{}, fmt.Errorf("writing provenance: %w", err)
	}
	said := &provenance.Provenance{
		BuildDefinition: &provenance.BuildDefinition{
			BuildType:            home + "/blob/main/docs/supply-chain.md#" + b.Kind,
			ExternalParameters:   outside,
			InternalParameters:   inside,
			ResolvedDependencies: b.dependencies(getenv),
		},
		RunDetails: &provenance.RunDetails{
			Builder:  &provenance.Builder{Id: home + "@" + version.String(), Version: map[string]string{"deploy-action": version.String()}},
			Metadata: &provenance.BuildMetadata{InvocationId: invocation(getenv), StartedOn: timestamppb.New(b.Started), FinishedOn: timestamppb.New(finished)},
		},
	}
	if err := said.Validate(); err != nil {
		return oci.Attachment{}, fmt.Errorf("writing provenance: %w", err)
	}
	content, err := envelope(subject, said)
	if err != nil {
		return oci.Attachment{}, fmt.Errorf("writing provenance: %w", err)
	}
	return oci.Attachment{Type: statementType, Predicate: slsaV1, Content: content}, nil
}

// envelope says something of a subject, in JSON.
func envelope(subject sbom.Subject, said proto.Message) ([]byte, error) {
	data, err := protojson.Marshal(said)
	if err != nil {
		return nil, err
	}
	predicate := &structpb.Struct{}
	if err := protojson.Unmarshal(data, predicate); err != nil {
		return nil, err
	}
	statement := &attestation.Statement{
		Type:          attestation.StatementTypeUri,
		Subject:       []*attestation.ResourceDescriptor{{Name: subject.Name, Digest: digestSet(subject.Digest)}},
		PredicateType: slsaV1,
		Predicate:     predicate,
	}
	if err := statement.Validate(); err != nil {
		return nil, err
	}
	if data, err = protojson.Marshal(statement); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil { // the library adds spaces at random
		return nil, err
	}
	return compact.Bytes(), nil
}

// outside is what the user decides on: the workflow, and what it asks for.
func (b Build) outside(getenv func(string) string) map[string]any {
	all := map[string]any{}
	for name, value := range b.Parameters {
		if list, ok := value.([]string); ok {
			values := []any{}
			for _, text := range list {
				values = append(values, text)
			}
			value = values
		}
		all[name] = value
	}
	// GITHUB_WORKFLOW_REF is owner/repository/path@ref.
	path, ref, ok := strings.Cut(getenv("GITHUB_WORKFLOW_REF"), "@")
	if parts := strings.SplitN(path, "/", 3); ok && len(parts) == 3 {
		all["workflow"] = map[string]any{
			"repository": getenv("GITHUB_SERVER_URL") + "/" + parts[0] + "/" + parts[1], "path": parts[2], "ref": ref,
		}
	}
	return all
}

// inside is what the runner says of itself.
func (b Build) inside(getenv func(string) string) map[string]any {
	github := map[string]any{}
	for name, variable := range map[string]string{
		"event_name": "GITHUB_EVENT_NAME", "repository_id": "GITHUB_REPOSITORY_ID",
		"repository_owner_id": "GITHUB_REPOSITORY_OWNER_ID", "runner_environment": "RUNNER_ENVIRONMENT",
	} {
		if value := getenv(variable); value != "" {
			github[name] = value
		}
	}
	if len(github) == 0 {
		return map[string]any{}
	}
	return map[string]any{"github": github}
}

// dependencies are the commit, and the images that this one was made of.
func (b Build) dependencies(getenv func(string) string) []*attestation.ResourceDescriptor {
	var all []*attestation.ResourceDescriptor
	if commit := source(b.Folder, getenv); commit != nil {
		all = append(all, commit)
	}
	for _, base := range b.Bases {
		all = append(all, &attestation.ResourceDescriptor{
			Name: base.Name, Uri: sbom.ImageURL(sbom.Subject{Name: repositoryOf(base.Name), Digest: base.Digest}), Digest: digestSet(base.Digest),
		})
	}
	return all
}

// repositoryOf is the name of an image without tag and digest.
func repositoryOf(name string) string {
	if parsed, err := oci.ParseReference(name); err == nil {
		return parsed.Repository
	}
	return name
}

func digestSet(digest string) map[string]string {
	algorithm, value, _ := strings.Cut(digest, ":")
	return map[string]string{algorithm: value}
}

// invocation names the attempt of the job's run; "" on a terminal.
func invocation(getenv func(string) string) string {
	run := getenv("GITHUB_RUN_ID")
	if run == "" {
		return ""
	}
	address := getenv("GITHUB_SERVER_URL") + "/" + getenv("GITHUB_REPOSITORY") + "/actions/runs/" + run
	if attempt := getenv("GITHUB_RUN_ATTEMPT"); attempt != "" {
		address += "/attempts/" + attempt
	}
	return address
}
