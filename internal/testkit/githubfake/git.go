package githubfake

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Commit is one git commit.
type Commit struct {
	Message   string    `json:"message"`
	Tree      string    `json:"tree"`
	Parents   []string  `json:"parents"`
	Author    Signature `json:"author"`
	Committer Signature `json:"committer"`
}

// Signature says who made a commit, and when.
type Signature struct {
	Name  string    `json:"name"`
	Email string    `json:"email"`
	Date  time.Time `json:"date"`
}

// treeEntry is one line of a git tree.
type treeEntry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
}

const modeTree = "040000"

// emptyTree is the tree without files. Git knows it in every repository, and so
// GitHub takes it for a commit, though it lets nobody make it.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// AddCommit makes a commit with one file that holds its message, and returns
// its name.
func (f *Fake) AddCommit(message string, parents ...string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newCommit(message, parents)
}

func (f *Fake) newCommit(message string, parents []string) string {
	file := treeEntry{"README", "100644", "blob", f.addBlob([]byte(message))}
	by := Signature{"Octo Cat", "octocat@example.invalid", f.options.Now().UTC().Truncate(time.Second)}
	return f.addCommit(Commit{Message: message, Tree: f.addTree([]treeEntry{file}), Parents: parents, Author: by, Committer: by})
}

// SetRef makes a ref, such as refs/heads/main, point to a commit, by force.
func (f *Fake) SetRef(name, sha string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data.Refs[name] = sha
}

// Ref returns the commit that a ref points to; "" where there is no such ref.
func (f *Fake) Ref(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.data.Refs[name]
}

// Message returns the message of a commit; "" where there is no such commit.
func (f *Fake) Message(sha string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.data.Commits[sha].Message
}

// objectName names an object as git does, so that equal ones have equal names.
func objectName(kind string, content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

func (f *Fake) addBlob(content []byte) string {
	name := objectName("blob", content)
	f.data.GitBlobs[name] = content
	return name
}

func (f *Fake) addCommit(c Commit) string {
	var text strings.Builder
	fmt.Fprintf(&text, "tree %s\n", c.Tree)
	for _, parent := range c.Parents {
		fmt.Fprintf(&text, "parent %s\n", parent)
	}
	fmt.Fprintf(&text, "author %s\ncommitter %s\n\n%s", c.Author, c.Committer, c.Message)
	name := objectName("commit", []byte(text.String()))
	f.data.Commits[name] = c
	return name
}

// String returns s as it stands in a commit.
func (s Signature) String() string {
	return fmt.Sprintf("%s <%s> %d +0000", s.Name, s.Email, s.Date.Unix())
}

// addTree makes a tree, and those of its folders, of files with their paths.
func (f *Fake) addTree(files []treeEntry) string {
	var entries []treeEntry
	folders := map[string][]treeEntry{}
	for _, file := range files {
		folder, rest, below := strings.Cut(file.Path, "/")
		if !below {
			entries = append(entries, file)
			continue
		}
		file.Path = rest
		folders[folder] = append(folders[folder], file)
	}
	for folder, content := range folders {
		entries = append(entries, treeEntry{folder, modeTree, "tree", f.addTree(content)})
	}
	slices.SortFunc(entries, func(a, b treeEntry) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	var text strings.Builder
	for _, e := range entries {
		id, err := hex.DecodeString(e.SHA)
		if err != nil {
			panic("the name of an object is not hexadecimal: " + e.SHA) // it was looked up before
		}
		fmt.Fprintf(&text, "%s %s\x00%s", strings.TrimPrefix(e.Mode, "0"), e.Path, id)
	}
	name := objectName("tree", []byte(text.String()))
	f.data.Trees[name] = entries
	return name
}

// sortKey is what git sorts by: folders as if their names ended with a slash.
func (e treeEntry) sortKey() string {
	if e.Type == "tree" {
		return e.Path + "/"
	}
	return e.Path
}

// files returns a tree with all below it; folders only where it is asked for.
func (f *Fake) files(tree, prefix string, folders bool) []treeEntry {
	var list []treeEntry
	for _, e := range f.data.Trees[tree] {
		named := e
		named.Path = prefix + e.Path
		if e.Type != "tree" || folders {
			list = append(list, named)
		}
		if e.Type == "tree" {
			list = append(list, f.files(e.SHA, named.Path+"/", folders)...)
		}
	}
	return list
}

// history returns a commit and all that came before it.
func (f *Fake) history(sha string) map[string]bool {
	seen, open := map[string]bool{}, []string{sha}
	for len(open) > 0 {
		next := open[0]
		open = open[1:]
		if !seen[next] {
			seen[next] = true
			open = append(open, f.data.Commits[next].Parents...)
		}
	}
	return seen
}

// resolve returns the commit that a commit's name, a branch or a tag stands
// for. Commits of runs are only names here, so any name is believed.
func (f *Fake) resolve(ref string) (sha string, ok bool) {
	if commitSHA.MatchString(ref) {
		return ref, ref != noCommit
	}
	for _, name := range []string{ref, "refs/heads/" + ref, "refs/tags/" + ref} {
		if sha, ok := f.data.Refs[name]; ok {
			return sha, true
		}
	}
	return "", false
}
