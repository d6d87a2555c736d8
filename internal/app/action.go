package app

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// inputFlags are the inputs that are flags of the command line.
var inputFlags = []struct {
	input, flag string
	many        bool // one value a line
}{
	{"dir", "--dir", false},
	{"app", "--app", true},
	{"workspace", "--workspace", false},
	{"variables", "--var", true},
	{"variable-files", "--var-file", true},
	{"labels", "--label", true},
	{"reason", "--reason", false},
	{"state", "--state", false},
	{"lock", "--lock", false},
	{"timeout", "--timeout", false},
}

// inputVariables are the inputs that are environment variables by another
// name. An input wins over the environment.
var inputVariables = map[string]string{
	"aws-region":       "AWS_REGION",
	"aws-role-arn":     "AWS_ROLE_ARN",
	"ca-bundle":        "SSL_CERT_FILE",
	"github-token":     "GITHUB_TOKEN",
	"registry-auth":    "REGISTRY_AUTH",
	"tfc-hostname":     "TFE_HOSTNAME",
	"tfc-token":        "TFE_TOKEN",
	"vault-addr":       "VAULT_ADDR",
	"vault-audience":   "VAULT_AUDIENCE",
	"vault-auth-mount": "VAULT_AUTH_MOUNT",
	"vault-namespace":  "VAULT_NAMESPACE",
	"vault-role":       "VAULT_ROLE",
}

// secretInputs are masked before anything else happens.
var secretInputs = []string{"github-token", "registry-auth", "github-app-private-key", "tfc-token", "kubeconfig"}

// secretVariables are masked as well, where no input says the same.
var secretVariables = []string{"GITHUB_TOKEN", "GH_TOKEN", "REGISTRY_AUTH", "TFE_TOKEN", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}

// actionArgs turns the action's inputs into the words of a command line.
func (m *machine) actionArgs() []string {
	args := []string{m.runner.Input("command")}
	for _, f := range inputFlags {
		values := []string{m.runner.Input(f.input)}
		if f.many {
			values = m.runner.InputList(f.input)
		}
		for _, v := range values {
			if v != "" {
				args = append(args, f.flag+"="+v)
			}
		}
	}
	if m.runner.Input("log-level") == "debug" {
		args = append(args, "--debug")
	}
	return append(args, m.runner.InputList("flags")...)
}

// takeInputs lets inputs win over the environment, and masks the secret ones.
func (m *machine) takeInputs(known *secret.Set) {
	for _, input := range secretInputs {
		m.maskLines(known, secret.Text(m.runner.Input(input)))
	}
	environment := m.getenv
	values := map[string]string{}
	for input, name := range inputVariables {
		if v := m.runner.Input(input); v != "" {
			values[name] = v
		}
	}
	for _, name := range secretVariables {
		m.maskLines(known, secret.Text(environment(name)))
	}
	m.getenv = func(name string) string {
		if v, ok := values[name]; ok {
			return v
		}
		return environment(name)
	}
}

// maskLines masks a secret and the parts of it that can show up alone, such as
// the password in host=user:password.
func (m *machine) maskLines(known *secret.Set, t secret.Text) {
	if t == "" {
		return
	}
	known.Add(t)
	for line := range strings.Lines(t.Reveal()) {
		if _, login, ok := strings.Cut(line, "="); ok {
			if _, password, ok := strings.Cut(strings.TrimSpace(login), ":"); ok {
				known.Add(secret.Text(password))
			}
		}
	}
}

// setOutputs hands the results to later steps: plain values for one app, JSON
// objects keyed by app for several.
func (s *session) setOutputs(results []engine.Result) error {
	if !s.machine.runner.Active() || s.machine.getenv("GITHUB_OUTPUT") == "" || len(results) == 0 {
		return nil
	}
	fields := map[string]func(engine.Result) any{
		"outcome":       func(r engine.Result) any { return r.Outcome },
		"url":           func(r engine.Result) any { return r.URL },
		"image":         func(r engine.Result) any { return r.Image },
		"digest":        func(r engine.Result) any { return r.Digest },
		"deployment-id": func(r engine.Result) any { return r.Deployment },
		"sequence":      func(r engine.Result) any { return number(r.Sequence) },
		"plan": func(r engine.Result) any {
			if r.Plan.Changes == nil {
				return "" // another verb
			}
			return r.Plan
		},
		"result": func(r engine.Result) any { return resultJSON(r) },
	}
	for name, field := range fields {
		value, err := outputValue(results, field)
		if err != nil {
			return err
		}
		if value == "" {
			continue
		}
		if err := s.machine.runner.SetOutput(name, value); err != nil {
			return err
		}
	}
	return nil
}

// number is a sequence as an output: nothing where there is none.
func number(sequence int) any {
	if sequence == 0 {
		return ""
	}
	return sequence
}

// setOutcome hands on an outcome of a verb where no app has a result.
func (s *session) setOutcome(outcome engine.Outcome) error {
	if !s.machine.runner.Active() || s.machine.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	return s.machine.runner.SetOutput("outcome", string(outcome))
}

// setArtifactOutput hands on which artifact holds the state, in the same form
// as the other outputs.
func (s *session) setArtifactOutput() error {
	if s.uploaded == nil || s.machine.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	uploaded := s.uploaded()
	if len(uploaded) == 0 {
		return nil
	}
	if len(s.results) == 1 {
		if id, ok := uploaded[s.results[0].App]; ok {
			return s.machine.runner.SetOutput("state-artifact-id", strconv.FormatInt(id, 10))
		}
	}
	raw, err := json.Marshal(uploaded)
	if err != nil {
		return err
	}
	return s.machine.runner.SetOutput("state-artifact-id", string(raw))
}

// outputValue is one output: text as it is for one app, all else as JSON. It is
// "" where no app has anything to say.
func outputValue(results []engine.Result, field func(engine.Result) any) (string, error) {
	var value any
	if len(results) == 1 {
		value = field(results[0])
		switch text := value.(type) {
		case string:
			return text, nil
		case engine.Outcome:
			return string(text), nil
		}
	} else {
		byApp := map[string]any{}
		for _, r := range results {
			if v := field(r); v != "" {
				byApp[title(r, results)] = v
			}
		}
		if len(byApp) == 0 {
			return "", nil
		}
		value = byApp
	}
	raw, err := json.Marshal(value)
	return string(raw), err
}

// jsonResult is a result as the output `result` and --json show it.
type jsonResult struct {
	App        string         `json:"app"`
	Workspace  string         `json:"workspace"`
	Outcome    engine.Outcome `json:"outcome"`
	Outdated   string         `json:"outdated,omitempty"`
	URL        string         `json:"url,omitempty"`
	Image      string         `json:"image,omitempty"`
	Digest     string         `json:"digest,omitempty"`
	Deployment string         `json:"deployment_id,omitempty"`
	Sequence   int            `json:"sequence,omitempty"`
	Plan       any            `json:"plan,omitempty"`
	Error      string         `json:"error,omitempty"`
}

func resultJSON(r engine.Result) jsonResult {
	j := jsonResult{
		App: r.App, Workspace: r.Workspace, Outcome: r.Outcome, Outdated: r.Outdated, URL: r.URL, Image: r.Image,
		Digest: r.Digest, Deployment: r.Deployment, Sequence: r.Sequence,
	}
	if len(r.Plan.Changes) > 0 {
		j.Plan = r.Plan.Changes
	}
	if r.Failure != nil {
		j.Error = r.Failure.Error()
	}
	return j
}
