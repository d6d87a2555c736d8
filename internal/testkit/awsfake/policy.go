package awsfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// Documented returns the actions of the first policy in a section of
// docs/aws.md. The test runs in a folder of a plugin.
func Documented(t *testing.T, section string) []string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n### "+section+"\n")
	_, text, begun := strings.Cut(text, "```json\n")
	text, _, ended := strings.Cut(text, "```")
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(text), &policy); err != nil || !found || !begun || !ended {
		t.Fatalf("docs/aws.md has no policy for %s (%v)", section, err)
	}
	var actions []string
	for _, statement := range policy.Statement {
		actions = append(actions, statement.Action...)
	}
	return actions
}

// Under lets only requests through that a policy with these actions allows; the
// others are denied as AWS does it.
func Under(actions []string, base http.RoundTripper) RoundTrip {
	return func(r *http.Request) (*http.Response, error) {
		for _, action := range needs(r) {
			if !slices.Contains(actions, action) {
				if r.Body != nil {
					r.Body.Close()
				}
				return InProcess(denial(action))(r)
			}
		}
		return base.RoundTrip(r)
	}
}

// needs are the actions that a request is allowed by.
func needs(r *http.Request) []string {
	if strings.Contains(r.URL.Host, ".dkr.ecr.") {
		return imageActions(r)
	}
	switch operation := servers.AWSOperation(r); operation {
	case "CreateRepository":
		return []string{"ecr:CreateRepository", "ecr:TagResource"} // which is asked for where there are tags
	case "GetParameters":
		return []string{"ssm:" + operation}
	case "DescribeImages":
		if r.Header.Get("X-Amz-Target") == "" {
			return []string{"ec2:" + operation}
		}
		return []string{"ecr:" + operation}
	default:
		return []string{"ecr:" + operation}
	}
}

// imageActions are those of the registry's own protocol.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
func imageActions(r *http.Request) []string {
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch {
	case strings.Contains(r.URL.Path, "/manifests/") && writes:
		return []string{"ecr:PutImage"}
	case strings.Contains(r.URL.Path, "/manifests/"), strings.Contains(r.URL.Path, "/referrers/"):
		return []string{"ecr:BatchGetImage"}
	case r.Method == http.MethodPost:
		return []string{"ecr:InitiateLayerUpload"}
	case writes:
		return []string{"ecr:UploadLayerPart", "ecr:CompleteLayerUpload"}
	case r.Method == http.MethodHead:
		return []string{"ecr:BatchCheckLayerAvailability"}
	case strings.Contains(r.URL.Path, "/blobs/"):
		return []string{"ecr:GetDownloadUrlForLayer"}
	}
	return nil // asking whether the registry answers
}

// denial answers that an action is not allowed.
func denial(action string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message := "User: arn:aws:sts::123456789012:assumed-role/deploy/me is not authorized to perform: " + action
		switch {
		case r.Header.Get("X-Amz-Target") != "":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type": "AccessDeniedException", "message": %q}`, message)
		case strings.HasPrefix(action, "ec2:"):
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>%s</Message></Error></Errors><RequestID>r</RequestID></Response>", message)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"errors": [{"code": "DENIED", "message": %q}]}`, message)
		}
	})
}

// Without returns actions but one.
func Without(actions []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(action string) bool { return action == one })
}
