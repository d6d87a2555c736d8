package state_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
)

// ups returns what n runs of `up` record of one app, newest first: a build, a
// push, a deployment and a release each. The deployments before the last two
// are destroyed, as prune does it.
func ups(n int) []state.Record {
	var records []state.Record
	for i := 1; i <= n; i++ {
		at := noon.Add(time.Duration(i) * 97 * time.Minute)
		deployment, digest := "web-"+rand.Text()[:10], fmt.Sprintf("sha256:%x", randomBytes(32))
		origin := state.Origin{
			Commit: fmt.Sprintf("%x", randomBytes(20)), Ref: "refs/heads/main", Event: "push",
			Workflow: "acme/shop/.github/workflows/deploy.yml@refs/heads/main", Run: 9_000_000_000 + int64(i)*7919, Attempt: 1,
			Job: "deploy", Actor: "ann", TriggeringActor: "ann", Version: "v1.4.2", Binary: "sha256:5f2b0c",
		}
		parent := ""
		for step, operation := range []string{"build", "push", "deploy", "release"} {
			started := at.Add(time.Duration(step)*41*time.Second + time.Duration(i*7919)*time.Microsecond)
			r := state.Record{
				Schema: state.Schema, ID: state.NewID(started), Operation: operation, Status: state.Succeeded,
				Project: "shop", App: "web", Workspace: "production", Plugin: "kubernetes", Sequence: i,
				Digest: digest, Parent: parent, Origin: origin, Started: started, Ended: started.Add(37 * time.Second),
				Config: json.RawMessage(`{"namespace":"shop","replicas":3,"service_port":8080,"probe":{"path":"/healthz"}}`),
				Result: json.RawMessage(`{"kind":"image","repository":"ghcr.io/acme/shop/web","digest":"` + digest + `"}`),
			}
			if operation == "deploy" || operation == "release" {
				r.Deployment, r.URL = deployment, "https://shop.example.com"
				r.Result = json.RawMessage(`{"namespace":"shop","name":"` + deployment + `","labels":{"app":"web"}}`)
			}
			if operation == "deploy" && i < n-1 {
				r.Status = state.Destroyed
			}
			parent = r.ID
			records = append(records, r)
		}
	}
	slices.Reverse(records)
	return records
}

func randomBytes(n int) []byte {
	random := make([]byte, n)
	rand.Read(random) // crypto/rand never returns an error
	return random
}

// BenchmarkDecode reads a state of 10,000 records.
func BenchmarkDecode(b *testing.B) {
	var file bytes.Buffer
	if err := state.Encode(&file, state.Header{}, ups(2500)); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		_, records, err := state.Decode(bytes.NewReader(file.Bytes()))
		if err != nil || len(records) != 10_000 {
			b.Fatalf("Decode = %d records, %v", len(records), err)
		}
	}
	b.ReportMetric(float64(file.Len()), "file-bytes")
}
