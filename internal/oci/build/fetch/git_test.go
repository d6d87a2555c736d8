package fetch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// run executes git in a folder and returns what it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", slices.Concat([]string{
		"-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false",
		"-c", "protocol.file.allow=always",
	}, args)...)
	command.Dir = dir
	command.Env = []string{"HOME=" + dir, "PATH=/usr/local/bin:/usr/bin:/bin"}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, output)
	}
	return strings.TrimSpace(string(output))
}

// repositories makes the repository main.git, with a branch, a light and an
// annotated tag, a link, a program, and the submodule other.git, and serves
// both by git's own program.
func repositories(t *testing.T, guard func(http.ResponseWriter, *http.Request) bool) (address, dir string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs the program git as a server:", err)
	}
	dir = t.TempDir()
	for _, name := range []string{"other.git", "main.git"} {
		repo := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(repo, "sub/deep"), 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, repo, "init")
		run(t, repo, "config", "http.receivepack", "false")
		run(t, repo, "config", "uploadpack.allowReachableSHA1InWant", "true")
		for file, text := range map[string]string{"README": name, "sub/f": "F", "sub/deep/g": "G"} {
			if err := os.WriteFile(filepath.Join(repo, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if name == "main.git" {
			if err := os.Symlink("/etc/passwd", filepath.Join(repo, "link")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(repo, "tool"), []byte("#!"), 0o755); err != nil {
				t.Fatal(err)
			}
			run(t, repo, "submodule", "add", "../other.git", "mod")
			run(t, repo, "config", "-f", ".gitmodules", "submodule.mod.url", "../other.git")
		}
		run(t, repo, "add", ".")
		run(t, repo, "commit", "-m", "one")
	}
	repo := filepath.Join(dir, "main.git")
	run(t, repo, "tag", "light")
	run(t, repo, "tag", "-a", "-m", "x", "heavy")
	run(t, repo, "checkout", "-b", "next")
	run(t, repo, "rm", "-q", "README")
	run(t, repo, "commit", "-m", "two")
	run(t, repo, "checkout", "main")
	backend := &cgi.Handler{
		Path: "/usr/bin/env", Args: []string{"git", "http-backend"}, Root: "/", Stderr: io.Discard,
		Env: []string{
			"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir,
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		},
	}
	address, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if guard == nil || guard(w, r) {
			backend.ServeHTTP(w, r)
		}
	})
	return address, dir
}

// sourceOf is a source as a Dockerfile's conversion names it.
func sourceOf(address, fragment string, attributes ...string) (string, map[string]string) {
	all := map[string]string{"git.fullurl": address + "/main.git", "git.authtokensecret": "GIT_AUTH_TOKEN"}
	for _, attribute := range attributes {
		key, value, _ := strings.Cut(attribute, "=")
		all[key] = value
	}
	return "git://example.com/main.git" + fragment, all
}

// checkout fetches a source and lists it, one text for each file.
func checkout(t *testing.T, g Git, identifier string, attributes map[string]string) []string {
	t.Helper()
	commit, err := g.Resolve(t.Context(), identifier, attributes)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := g.Checkout(t.Context(), identifier, attributes, commit, dir); err != nil {
		t.Fatal(err)
	}
	var found []string
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		relative, _ := filepath.Rel(dir, name)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String() + " " + relative
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text = relative + "→" + target
		}
		found = append(found, text)
		if entry.Name() == ".git" && entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestGit(t *testing.T) {
	t.Parallel()
	address, dir := repositories(t, nil)
	head := run(t, filepath.Join(dir, "main.git"), "rev-parse", "main")
	rest := []string{
		"drwxr-xr-x mod", "-rw-r--r-- mod/README", "drwxr-xr-x mod/sub", "drwxr-xr-x mod/sub/deep", "-rw-r--r-- mod/sub/deep/g", "-rw-r--r-- mod/sub/f",
		"drwxr-xr-x sub", "drwxr-xr-x sub/deep", "-rw-r--r-- sub/deep/g", "-rw-r--r-- sub/f", "-rwxr-xr-x tool",
	}
	next := append([]string{"-rw-r--r-- .gitmodules", "link→/etc/passwd"}, rest...)
	all := append([]string{"-rw-r--r-- .gitmodules", "-rw-r--r-- README", "link→/etc/passwd"}, rest...)
	tests := map[string]struct {
		fragment   string
		attributes []string
		want       []string
	}{
		"default":        {"", nil, all},
		"branch":         {"#next", nil, next},
		"full reference": {"#refs/heads/next", nil, next},
		"tag":            {"#light", nil, all},
		"annotated tag":  {"#heavy", nil, all},
		"commit":         {"#" + head, nil, all},
		"checksum":       {"#heavy", []string{"git.checksum=" + head}, all},
		"subfolder":      {"#main:sub", []string{"git.skipsubmodules=true"}, []string{"drwxr-xr-x deep", "-rw-r--r-- deep/g", "-rw-r--r-- f"}},
		"with .git": {"", []string{"git.keepgitdir=true", "git.skipsubmodules=true"}, []string{
			"drwxr-xr-x .git", "-rw-r--r-- .gitmodules", "-rw-r--r-- README", "link→/etc/passwd", "drwxr-xr-x mod",
			"drwxr-xr-x sub", "drwxr-xr-x sub/deep", "-rw-r--r-- sub/deep/g", "-rw-r--r-- sub/f", "-rwxr-xr-x tool",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identifier, attributes := sourceOf(address, test.fragment, test.attributes...)
			if diff := cmp.Diff(test.want, checkout(t, Git{}, identifier, attributes)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGitSignsIn reads a private repository and its submodule, and keeps no
// password.
func TestGitSignsIn(t *testing.T) {
	t.Parallel()
	address, _ := repositories(t, func(w http.ResponseWriter, r *http.Request) bool {
		_, password, _ := r.BasicAuth()
		if password != "hunter2" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		}
		return password == "hunter2"
	})
	g := Git{Login: func(context.Context, string) (string, secret.Text, error) { return "x", secret.Text("hunter2"), nil }}
	identifier, attributes := sourceOf(address, "")
	if found := checkout(t, g, identifier, attributes); !slices.Contains(found, "-rw-r--r-- mod/README") {
		t.Errorf("files are %v", found)
	}
	attributes["git.fullurl"] = strings.Replace(attributes["git.fullurl"], "://", "://me:hunter2@", 1)
	attributes["git.keepgitdir"] = "true"
	commit, err := Git{}.Resolve(t.Context(), identifier, attributes)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := (Git{}).Checkout(t.Context(), identifier, attributes, commit, dir); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, ".git/config"))
	if err != nil || strings.Contains(string(config), "hunter2") || !strings.Contains(string(config), "main.git") {
		t.Errorf(".git/config is %q, %v", config, err)
	}
	attributes["git.fullurl"] = address + "/main.git"
	_, err = Git{}.Resolve(t.Context(), identifier, attributes)
	if p, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(p.Detail, "is not there, or is not shown to us") {
		t.Errorf("without credentials: %v", err)
	}
}

func TestGitProblems(t *testing.T) {
	t.Parallel()
	address, _ := repositories(t, nil)
	tests := map[string]struct {
		fragment   string
		attributes []string
		want       string
	}{
		"reference": {"#nxt", nil, `has neither a branch nor a tag "nxt".`},
		"subfolder": {"#main:none", []string{"git.skipsubmodules=true"}, `has no folder "none" at that commit.`},
		"climbing":  {"#main:../../etc", []string{"git.skipsubmodules=true"}, `has no folder "etc" at that commit.`},
		"link":      {"#main:link", []string{"git.skipsubmodules=true"}, `has no folder "link" at that commit.`},
		"checksum":  {"#main", []string{"git.checksum=" + strings.Repeat("0", 40)}, "but the Dockerfile wants 0000"},
		"commit":    {"#" + strings.Repeat("1", 40), nil, "has no commit 1111"},
		"ssh":       {"", []string{"git.fullurl=ssh://git@host/x.git"}, "over https only"},
		"local":     {"", []string{"git.fullurl=file:///etc"}, "over https only"},
		"missing":   {"", []string{"git.fullurl=" + address + "/none.git"}, "is not there, or is not shown to us"},
		"signature": {"", []string{"git.sig.pubkey=x"}, `"git.sig.pubkey" is nothing`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identifier, attributes := sourceOf(address, test.fragment, test.attributes...)
			commit, err := Git{}.Resolve(t.Context(), identifier, attributes)
			if err == nil {
				err = Git{}.Checkout(t.Context(), identifier, attributes, commit, t.TempDir())
			}
			if p, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(p.Detail, test.want) {
				t.Errorf("error is %v, want a problem with %q", err, test.want)
			}
		})
	}
}

// TestSubmoduleOfThisMachine refuses one that names a path.
func TestSubmoduleOfThisMachine(t *testing.T) {
	t.Parallel()
	address, dir := repositories(t, nil)
	repo := filepath.Join(dir, "main.git")
	run(t, repo, "config", "-f", ".gitmodules", "submodule.mod.url", filepath.Join(dir, "other.git"))
	run(t, repo, "commit", "-a", "-m", "local")
	identifier, attributes := sourceOf(address, "")
	commit, err := Git{}.Resolve(t.Context(), identifier, attributes)
	if err != nil {
		t.Fatal(err)
	}
	err = Git{}.Checkout(t.Context(), identifier, attributes, commit, t.TempDir())
	if p, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(p.Detail, `The submodule "mod"`) {
		t.Errorf("Checkout() = %v, want a problem with the submodule", err)
	}
}
