package starter

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// WorkflowPath is where the workflow goes, from the root of the repository.
const WorkflowPath = ".github/workflows/deploy.yml"

// workflowFile proposes a workflow. With no apps it is for a waypoint.hcl that
// was there before, whose builds it does not know.
func workflowFile(o Options, apps []*app) File {
	above := ""
	if folder := o.Git.Folder; folder != "." && folder != "" {
		above = strings.Repeat("../", strings.Count(folder, "/")+1)
	}
	return File{above + WorkflowPath, workflow(o, apps), "deploys what is pushed"}
}

// workflow writes the workflow.
func workflow(o Options, apps []*app) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Deploys what is pushed to %[1]s.
name: deploy

on:
  push:
    branches: [%[1]s]
  workflow_dispatch:

permissions:
  contents: write # read the repository, and lock a workspace
  actions: read # find the state that the last run left
  deployments: write # show each deploy in the list of deployments
  statuses: write # show the outcome on the commit
  pull-requests: write # show plans on pull requests
  id-token: write # sign in to clouds without stored secrets
  packages: write # push images to ghcr.io

# One deploy at a time, and none cut off by the next.
concurrency:
  group: deploy
  cancel-in-progress: false

jobs:
  deploy:
`, plain(first(o.Git.Branch, "main")))
	b.WriteString(runsOn(apps))
	b.WriteString("    steps:\n      - uses: actions/checkout@v4\n")
	if len(apps) == 0 {
		b.WriteString("      # Steps that make what the images hold go here, such as compiling.\n")
	}
	for _, line := range buildSteps(o, apps) {
		b.WriteString(strings.TrimRight("      "+line, " ") + "\n")
	}
	b.WriteString("      - uses: deploy-action/deploy-action@v1\n        id: deploy\n")
	if folder := o.Git.Folder; folder != "." && folder != "" {
		fmt.Fprintf(&b, "        with:\n          dir: %s\n", plain(folder))
	}
	b.WriteString("      - run: echo \"$URL\"\n        env:\n          URL: ${{ steps.deploy.outputs.url }}\n")
	return b.String()
}

// runsOn chooses the machine, and says what it must have.
func runsOn(apps []*app) string {
	uses := func(plugin string) bool {
		return slices.ContainsFunc(apps, func(a *app) bool { return a.deploy.plugin == plugin })
	}
	switch {
	case uses("docker"):
		return "    # The machine whose Docker engine runs the app. On ubuntu-latest it would end with the job.\n    runs-on: self-hosted\n"
	case uses("exec"):
		return "    # The deploying command runs in the action's container, which has no kubectl, helm or node: an earlier step\n" +
			"    # puts such a program and its settings into the workspace, and waypoint.hcl names its path.\n    runs-on: ubuntu-latest\n"
	}
	return "    runs-on: ubuntu-latest\n"
}

// buildSteps are the lines of the steps that make what the action needs.
func buildSteps(o Options, apps []*app) []string {
	var lines []string
	done := map[string]bool{} // steps that serve several apps
	once := func(step ...string) {
		if text := strings.Join(step, "\n"); !done[text] {
			lines = append(lines, step...)
			done[text] = true
		}
	}
	for _, a := range apps {
		if a.built {
			once("- uses: docker/login-action@v3", "  with:", "    registry: ghcr.io",
				"    username: ${{ github.actor }}", "    password: ${{ github.token }}")
			folder := path.Join(o.Git.Folder, a.path)
			lines = append(lines, "- uses: docker/build-push-action@v6", "  with:", "    context: "+plain(folder),
				"    file: "+plain(path.Join(folder, a.dockerfile)), "    push: true", "    tags: "+a.image+":"+workflowTag(o))
		}
		if a.language.image == "" {
			continue
		}
		once("- uses: "+a.language.setup, "  with:", "    "+a.language.setupWith)
		for _, command := range a.language.build {
			lines = append(lines, "- run: "+command)
			if folder := path.Join(o.Git.Folder, a.path); folder != "." {
				lines = append(lines, "  working-directory: "+plain(folder))
			}
		}
	}
	return lines
}

// workflowTag is the tag that waypoint.hcl asks for, in words of a workflow.
func workflowTag(o Options) string {
	if o.Git.Commits {
		return "${{ github.sha }}"
	}
	return "latest"
}
