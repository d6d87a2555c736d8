package app

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/version"
)

// shortRetention is how many days are too few to find the state again.
const shortRetention = 30

// dockerSocket is where a Docker engine listens unless DOCKER_HOST says other.
const dockerSocket = "/var/run/docker.sock"

// runnerChecks looks at this machine. All of it is known at once, so there are
// rows and no checks.
func (e *examination) runnerChecks() []doctor.Check {
	e.rows = append(e.rows,
		doctor.Row{Name: "version", State: doctor.OK, Finding: version.String()},
		doctor.Row{Name: "runner", State: doctor.OK, Finding: e.machine.kindOfRunner()},
		e.dockerRow(), e.networkRow(),
	)
	if e.machine.runner.Active() {
		e.rows = append(e.rows, e.journalRow(), e.checkoutRow(), e.retentionRow())
	}
	return nil
}

// kindOfRunner says where the program runs.
func (m *machine) kindOfRunner() string {
	switch {
	case !m.runner.Active():
		return "none: a terminal"
	case m.getenv("ACT") == "true":
		return "act"
	case m.getenv("KUBERNETES_SERVICE_HOST") != "":
		return "self-hosted, in a pod of Kubernetes (ARC)"
	case m.getenv("RUNNER_ENVIRONMENT") == "github-hosted":
		return "hosted by GitHub"
	}
	return "self-hosted"
}

func (e *examination) dockerRow() doctor.Row {
	row := doctor.Row{Name: "docker", State: doctor.OK, Finding: "none: what needs a Docker engine does not work here; builds do not need one"}
	if host := e.machine.getenv("DOCKER_HOST"); host != "" {
		row.Finding = "DOCKER_HOST is " + withoutUser(host)
	} else if info, err := os.Stat(dockerSocket); err == nil && info.Mode()&os.ModeSocket != 0 {
		row.Finding = dockerSocket
	}
	return row
}

// networkRow says by which way requests go and whom they trust.
func (e *examination) networkRow() doctor.Row {
	var set []string
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		for _, spelling := range []string{name, strings.ToLower(name)} {
			if value := e.machine.getenv(spelling); value != "" {
				set = append(set, spelling+" "+withoutUser(value))
				break
			}
		}
	}
	if bundle := e.machine.getenv("SSL_CERT_FILE"); bundle != "" {
		set = append(set, "authorities of "+bundle)
	}
	if len(set) == 0 {
		set = append(set, "no proxy, the authorities of the system")
	}
	return doctor.Row{Name: "network", State: doctor.OK, Finding: strings.Join(set, ", ")}
}

// withoutUser takes the login out of an address. What is no address comes back
// as it is.
func withoutUser(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[at+1:]
	}
	return address
}

// journalRow says where records are before they are uploaded.
func (e *examination) journalRow() doctor.Row {
	path, err := runstore.JournalPath(e.machine.getenv)
	if err != nil {
		return doctor.Row{
			Name: "journal", State: doctor.Problem, Finding: err.Error(),
			Remedy: "update the runner: newer ones mount RUNNER_TEMP into container actions",
		}
	}
	folder := filepath.Dir(path)
	if folder == filepath.Clean(e.machine.getenv("RUNNER_TEMP")) {
		return doctor.Row{Name: "journal", State: doctor.OK, Finding: "in RUNNER_TEMP, " + folder}
	}
	return doctor.Row{Name: "journal", State: doctor.OK, Finding: "beside the file of GITHUB_STATE, for RUNNER_TEMP is not mounted: " + folder}
}

// checkoutRow says how much of the history is here.
func (e *examination) checkoutRow() doctor.Row {
	git := filepath.Join(e.machine.runner.Context().Workspace, ".git")
	row := doctor.Row{Name: "checkout", State: doctor.OK, Finding: "the whole history"}
	if _, err := os.Stat(git); err != nil {
		row.State, row.Finding = doctor.NotChecked, "the workspace is no git checkout"
	} else if _, err := os.Stat(filepath.Join(git, "shallow")); err == nil {
		row.Finding = "shallow: which commit descends from which is asked of GitHub"
	}
	return row
}

// retentionRow says how long the state is kept without a run that renews it.
func (e *examination) retentionRow() doctor.Row {
	days := e.machine.runner.Context().RetentionDays
	row := doctor.Row{Name: "retention", State: doctor.OK, Finding: fmt.Sprintf("artifacts are kept for %d days", days)}
	switch {
	case days == 0:
		row.State, row.Finding = doctor.NotChecked, "the runner does not say how long artifacts are kept"
	case days < shortRetention:
		row.State = doctor.Warning
		row.Remedy = fmt.Sprintf("keep artifacts for %d days or more (settings of the repository, Actions, General), or set the input `state: git`", shortRetention)
	}
	return row
}
