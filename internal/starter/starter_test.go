package starter_test

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/starter"
)

var update = flag.Bool("update", false, "rewrite the proposals in testdata")

// gitOf is the version control of the repositories in testdata whose archive
// says "on GitHub".
var gitOf = map[bool]starter.Git{
	false: {Folder: "."},
	true:  {Name: "Shop", Image: "ghcr.io/acme/shop", Branch: "trunk", Commits: true, Folder: "."},
}

// TestProposals holds the proposal for each repository in testdata: the files
// in a folder repository, and what is proposed for them in proposal.
func TestProposals(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no repositories in testdata: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			kept := slices.DeleteFunc(slices.Clone(archive.Files), func(f txtar.File) bool { return strings.HasPrefix(f.Name, "proposal/") })
			files, err := txtar.FS(&txtar.Archive{Files: kept})
			if err != nil {
				t.Fatal(err)
			}
			repository, err := fs.Sub(files, "repository")
			if err != nil {
				t.Fatal(err)
			}
			got := propose(t, repository, gitOf[strings.Contains(string(archive.Comment), "on GitHub")])
			if *update {
				write(t, path, &txtar.Archive{Comment: archive.Comment, Files: kept}, got)
				return
			}
			want := map[string]string{}
			for _, f := range archive.Files {
				if name, ok := strings.CutPrefix(f.Name, "proposal/"); ok {
					want[name] = string(f.Data)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("proposal (-want +got):\n%s", diff)
			}
		})
	}
}

// propose returns what is proposed for a repository: the files, and in the file
// "log" what is said about them.
func propose(t *testing.T, repository fs.FS, git starter.Git) map[string]string {
	t.Helper()
	proposal, err := starter.New(starter.Options{
		FS: repository, Name: "my shop", Git: git, Refusal: refusesDevices, Workflow: git.Image != "",
	})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	var log strings.Builder
	for _, f := range proposal.Found {
		log.WriteString("found " + f.Path + ": " + f.What + "\n")
	}
	for _, f := range proposal.Files {
		log.WriteString("writes " + f.Path + ": " + f.Why + "\n")
		files[f.Path] = f.Content
	}
	for _, s := range proposal.Next {
		log.WriteString("next " + s.Command + ": " + s.Why + "\n")
	}
	files["log"] = log.String()
	return files
}

// refusesDevices is a builder that cannot give devices to a command.
func refusesDevices(dockerfile []byte) string {
	if strings.Contains(string(dockerfile), "\nRUN --device") {
		return "RUN --device is not supported"
	}
	return ""
}

// write replaces the proposals in an archive.
func write(t *testing.T, path string, archive *txtar.Archive, proposal map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(proposal)) {
		archive.Files = append(archive.Files, txtar.File{Name: "proposal/" + name, Data: []byte(proposal[name])})
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ folder, want string }{
		"letters that no name has": {"my shop!", "my-shop"},
		"nothing that a name has":  {"…", "app"},
		"a hidden folder":          {".config", "config"},
		"a long one":               {strings.Repeat("a", 61), strings.Repeat("a", 60)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proposal, err := starter.New(starter.Options{FS: os.DirFS(t.TempDir()), Name: tt.folder})
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{`project = "` + tt.want + `"`, `app "` + tt.want + `" {`} {
				if file := proposal.Files[0].Content; !strings.Contains(file, "\n"+line+"\n") {
					t.Errorf("no line %s in:\n%s", line, file)
				}
			}
		})
	}
}
