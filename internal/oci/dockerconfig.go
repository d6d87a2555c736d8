package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// dockerConfig is the part of Docker's config.json that is about logins.
type dockerConfig struct {
	Auths       map[string]authn.AuthConfig `json:"auths"`
	CredHelpers map[string]string           `json:"credHelpers"`
	CredsStore  string                      `json:"credsStore"`
}

// fromDocker looks host up as the docker command would: a helper for this
// host, then the helper for all, then what the file itself holds.
func (c Credentials) fromDocker(ctx context.Context, host string) (Login, error) {
	path := DockerConfigPath(c.Getenv)
	if path == "" {
		return Login{}, nil
	}
	config, err := readDockerConfig(path, c.DockerConfig)
	if err != nil {
		return Login{}, err
	}
	for server, helper := range config.CredHelpers {
		if canonicalHost(server) == host {
			return c.askHelper(ctx, path, helper, server)
		}
	}
	if config.CredsStore != "" {
		server := host
		if canonicalHost(authn.DefaultAuthKey) == host {
			server = authn.DefaultAuthKey // the one name under which Docker stores its own registry
		}
		login, err := c.askHelper(ctx, path, config.CredsStore, server)
		if err != nil || !login.empty() {
			return login, err
		}
	}
	for server, auth := range config.Auths {
		if canonicalHost(server) == host {
			return loginOf(auth), nil
		}
	}
	return Login{}, nil
}

// DockerConfigPath returns where Docker's configuration file is, if it exists;
// "" where no variable tells.
func DockerConfigPath(getenv func(string) string) string {
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".docker", "config.json")
	}
	return ""
}

// KeepDockerConfig returns what to keep as [Credentials.DockerConfig]. Where the
// file cannot be read that is "", so that only whoever needs it is told.
func KeepDockerConfig(getenv func(string) string) secret.Text {
	data, err := os.ReadFile(DockerConfigPath(getenv))
	if errors.Is(err, fs.ErrNotExist) {
		return "{}" // a file that comes later is not the job's
	}
	return secret.Text(data)
}

// readDockerConfig decodes the file, or what was kept of it.
func readDockerConfig(path string, kept secret.Text) (dockerConfig, error) {
	var config dockerConfig
	var err error
	data := []byte(kept.Reveal())
	if kept == "" {
		data, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return config, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return config, &diag.Problem{
			Summary: "Unreadable Docker configuration",
			Detail: fmt.Sprintf("Registry credentials are looked up in %s, which cannot be read. "+
				"Mend the file, or set DOCKER_CONFIG to another folder.", path),
			Err: err,
		}
	}
	return config, nil
}

// askHelper runs a credential helper, a program that takes a server on its
// standard input and answers in JSON. An answer that it knows none is no error.
func (c Credentials) askHelper(ctx context.Context, path, helper, server string) (Login, error) {
	program := "docker-credential-" + helper
	file, err := c.lookPath(program)
	if err != nil {
		return Login{}, &diag.Problem{
			Summary: "Missing credential helper",
			Detail: fmt.Sprintf("%s says that the credentials for %s come from %s, which is not in PATH. "+
				"Install it, or give the credentials in the configuration or by the input registry-auth.", path, server, program),
			Err: err,
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, file, "get")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(server), &stdout, &stderr
	cmd.Env = []string{} // nil would be our own environment
	if c.Environ != nil {
		cmd.Env = append(cmd.Env, c.Environ()...)
	}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stdout.String() + stderr.String())
		if strings.Contains(said, "credentials not found") { // the protocol's own sentence
			return Login{}, nil
		}
		return Login{}, fmt.Errorf("asking %s for the credentials of %s: %w: %s", program, server, err, said)
	}
	var answer struct {
		Username string
		Secret   secret.Text
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return Login{}, fmt.Errorf("asking %s for the credentials of %s: its answer is no JSON", program, server)
	}
	if answer.Username == "<token>" {
		return Login{IdentityToken: answer.Secret}, nil
	}
	return Login{Username: answer.Username, Password: answer.Secret}, nil
}

// lookPath searches PATH as our configuration sees it; [exec.LookPath] would
// take the one of this process.
func (c Credentials) lookPath(program string) (string, error) {
	for _, dir := range filepath.SplitList(c.Getenv("PATH")) {
		file := filepath.Join(dir, program)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("looking for %s: %w", program, exec.ErrNotFound)
}
