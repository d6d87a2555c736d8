package exec_test

import "testing"

func TestCommandCannotGainPrivileges(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, `command = ["grep", "NoNewPrivs", "/proc/self/status"]`, nil)
	if _, err := tr.platform.Deploy(t.Context(), tr.request); err != nil {
		t.Fatal(err)
	}
	if got := tr.screen.String(); got != "NoNewPrivs:\t1\n" {
		t.Errorf("the command runs with %q, want NoNewPrivs: 1", got)
	}
}

func TestRenderedSecretsAreForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "command = [\"stat\", \"-c\", \"%a\", \"<TPL>\"]\ntemplate {\n path = \"a.tpl\"\n}", map[string]string{"a.tpl": "{{.Env.GREETING}}"})
	if _, err := tr.platform.Deploy(t.Context(), tr.request); err != nil {
		t.Fatal(err)
	}
	if got := tr.screen.String(); got != "700\n" {
		t.Errorf("the rendered template has mode %q, want 700", got)
	}
}
