package workflow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

func TestChildEnviron(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"PATH=/bin", "HOME=/github/home", "LC_ALL=C", "TZ=UTC", "GITHUB_ACTIONS=true", "GITHUB_SHA=3f2c",
		"RUNNER_TEMP=/tmp", "https_proxy=http://proxy", "GOFLAGS=-mod=mod", "XDG_CACHE_HOME=/c",
		"JAVA_HOME_17_X64=/java", "WAYPOINT_PROJECT=hello", "CI=",
	}
	refused := []string{
		"ACTIONS_RUNTIME_TOKEN=x", "ACTIONS_ID_TOKEN_REQUEST_URL=x", "ACTIONS_RESULTS_URL=x", "GITHUB_TOKEN=x", "GH_TOKEN=x",
		"INPUT_COMMAND=up", "INPUT_GITHUB-TOKEN=x", "STATE_x=y", "GITHUB_OUTPUT=/f", "GITHUB_ENV=/f", "GITHUB_PATH=/f",
		"GITHUB_STATE=/f", "GITHUB_STEP_SUMMARY=/f", "GITHUB_EVENT_PATH=/f", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"GOOGLE_APPLICATION_CREDENTIALS=/f", "VAULT_TOKEN=x", "KUBECONFIG=/f", "DOCKER_CONFIG=/d", "TF_VAR_x=y", "WP_VAR_x=y",
		"WAYPOINT_SERVER_TOKEN=x", "XDG_API_KEY=x", "LC_PASSWORD=x", "LD_PRELOAD=/f", "GIT_CONFIG_COUNT=9", "GOAUTH=x",
		"PATHS=x", "=C:=C:", "", "NOEQUALSSIGN",
	}
	want := append(append([]string{}, allowed...), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	if diff := cmp.Diff(want, workflow.ChildEnviron(append(refused, allowed...))); diff != "" {
		t.Errorf("ChildEnviron (-want +got):\n%s", diff)
	}
}

func TestChildEnvironOffARunnerLeavesGitAlone(t *testing.T) {
	t.Parallel()
	want := []string{"PATH=/bin"}
	if diff := cmp.Diff(want, workflow.ChildEnviron([]string{"PATH=/bin", "GITHUB_TOKEN=x"})); diff != "" {
		t.Errorf("ChildEnviron (-want +got):\n%s", diff)
	}
}
