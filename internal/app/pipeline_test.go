package app_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const oneApp = `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "null" {}
  }
}
`

func TestActionRunsAPipeline(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		steps   string
		outputs map[string]string
		told    []string
	}{
		"one workspace": {
			steps: "step \"build\" {\n use \"build\" {}\n}\nstep \"deploy\" {\n use \"deploy\" {}\n}\nstep \"live\" {\n use \"release\" {}\n}\n",
			outputs: map[string]string{
				"outcome": "changed", "deployment-id": "web-ID", "sequence": "1", "state-artifact-id": "6",
				"result": `{"app":"web","workspace":"default","outcome":"changed","deployment_id":"web-ID","sequence":1}`,
			},
			told: []string{"deploy-action/web (default): pending", "deploy-action/web (default): success"},
		},
		"two workspaces": {
			steps: "step \"try\" {\n workspace = \"staging\"\n use \"up\" {}\n}\nstep \"up\" {\n use \"up\" {}\n}\n",
			outputs: map[string]string{
				"outcome":       `{"web (default)":"changed","web (staging)":"changed"}`,
				"deployment-id": `{"web (default)":"web-ID","web (staging)":"web-ID"}`, "sequence": `{"web (default)":1,"web (staging)":1}`,
			},
			told: []string{
				"deploy-action/web (staging): pending", "deploy-action/web (staging): success",
				"deploy-action/web (default): pending", "deploy-action/web (default): success",
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, oneApp+"pipeline \"release\" {\n"+c.steps+"}\n")
			j.inputs = []string{"INPUT_COMMAND=pipeline", "INPUT_FLAGS=run\nrelease"}
			if status, log := j.run(t, "deploy-action"); status != 0 {
				t.Fatalf("exit status %d\n%s", status, log)
			}
			got := j.outputs(t)
			for output, want := range c.outputs {
				if got[output] != want {
					t.Errorf("output %s = %s, want %s", output, got[output], want)
				}
			}
			if diff := cmp.Diff(c.told, j.told()); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			page, err := os.ReadFile(j.pages)
			if err != nil || !strings.Contains(string(page), "| **web") {
				t.Errorf("the page of the run lacks the app: %v\n%s", err, page)
			}
		})
	}
}

func TestActionWithWordsOnOneLine(t *testing.T) {
	t.Parallel()
	j := newJob(t, oneApp)
	j.inputs = []string{"INPUT_COMMAND=pipeline", "INPUT_FLAGS=run release"}
	status, log := j.run(t, "deploy-action")
	if status != 2 || !strings.Contains(log, "each word has a line of its own") {
		t.Errorf("exit status %d, want 2 and the remedy\n%s", status, log)
	}
}
