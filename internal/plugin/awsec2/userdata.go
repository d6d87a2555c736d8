package awsec2

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// environmentFile is where an instance finds the app's variables.
const environmentFile = "/etc/deploy-action/env"

// mostUserData is what EC2 takes, before it is encoded.
const mostUserData = 16 << 10

// userData returns what cloud-init does on an instance's first start: it writes
// the variables and the files of the config block. It is "" without any.
func (p *platform) userData(in component.DeployInput) (string, error) {
	if err := p.checkSecrets(in); err != nil {
		return "", err
	}
	files := map[string]string{}
	for name, setting := range in.Files {
		if !path.IsAbs(name) {
			return "", &diag.Problem{
				Summary: "A file without a place",
				Detail:  fmt.Sprintf("The config block has the file %q. An instance has no working folder: name an absolute path.", name),
			}
		}
		files[name] = setting.Text.Reveal()
	}
	if len(in.Env) > 0 {
		files[environmentFile] = environment(in.Env)
	}
	if len(files) == 0 {
		return "", nil
	}
	var b strings.Builder
	b.WriteString("#cloud-config\nwrite_files:\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "- path: %q\n  permissions: '0600'\n  encoding: b64\n  content: %s\n", name, base64.StdEncoding.EncodeToString([]byte(files[name])))
	}
	if b.Len() > mostUserData {
		return "", &diag.Problem{
			Summary: "The app's config block is too large",
			Detail: fmt.Sprintf("Its variables and files take %d bytes of user data, and EC2 takes %d. "+
				"Put large files into the machine image, or have the app fetch them.", b.Len(), mostUserData),
		}
	}
	return b.String(), nil
}

// checkSecrets refuses to put sensitive values where others can read them,
// unless that is asked for.
func (p *platform) checkSecrets(in component.DeployInput) error {
	if p.cfg.PlaintextSecrets {
		return nil
	}
	var names []string
	for _, settings := range []map[string]component.Setting{in.Env, in.Files} {
		for name, setting := range settings {
			if setting.Sensitive {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &diag.Problem{
		Summary: "EC2 has no place for secrets",
		Detail: fmt.Sprintf("The config block has the sensitive values %q, and an instance gets its settings by user data, which others can read. "+
			"Have the app read them from Secrets Manager with the role of instance_profile, or set plaintext_secrets = true.", names),
		Attr: "plaintext_secrets",
	}
}

// environment returns variables as systemd's EnvironmentFile reads them, and a
// shell too.
func environment(env map[string]component.Setting) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "%s=\"%s\"\n", name, quote.Replace(env[name].Text.Reveal()))
	}
	return b.String()
}
