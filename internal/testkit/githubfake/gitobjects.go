package githubfake

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (f *Fake) gitRoutes() []route {
	return []route{
		{"POST /repos/{owner}/{repo}/git/blobs", "contents: write", f.createGitBlob},
		{"GET /repos/{owner}/{repo}/git/blobs/{sha}", "contents: read", f.showGitBlob},
		{"POST /repos/{owner}/{repo}/git/trees", "contents: write", f.createTree},
		{"GET /repos/{owner}/{repo}/git/trees/{sha}", "contents: read", f.showTree},
		{"POST /repos/{owner}/{repo}/git/commits", "contents: write", f.createCommit},
		{"GET /repos/{owner}/{repo}/git/commits/{sha}", "contents: read", f.showCommit},
	}
}

func (f *Fake) createGitBlob(w http.ResponseWriter, r *http.Request) {
	var req struct{ Content, Encoding string }
	if !decode(w, r, &req) {
		return
	}
	content := []byte(req.Content)
	if req.Encoding == "base64" {
		decoded, err := base64.StdEncoding.DecodeString(req.Content)
		if err != nil {
			refuseREST(w, http.StatusUnprocessableEntity, "content is not valid Base64")
			return
		}
		content = decoded
	}
	sha := f.addBlob(content)
	answerJSON(w, http.StatusCreated, map[string]any{"sha": sha, "url": self(r, "git/blobs/%s", sha)})
}

func (f *Fake) showGitBlob(w http.ResponseWriter, r *http.Request) {
	sha := r.PathValue("sha")
	content, ok := f.data.GitBlobs[sha]
	if !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"sha": sha, "node_id": "B_" + sha, "url": self(r, "git/blobs/%s", sha), "size": len(content),
		"encoding": "base64", "content": wrapped(content),
	})
}

// wrapped encodes content in short lines, each with its end, as GitHub does.
func wrapped(content []byte) string {
	var lines strings.Builder
	for part := range slices.Chunk(content, 45) {
		lines.WriteString(base64.StdEncoding.EncodeToString(part) + "\n")
	}
	return lines.String()
}

func (f *Fake) createTree(w http.ResponseWriter, r *http.Request) {
	var req struct {
		BaseTree string `json:"base_tree"`
		Tree     []struct {
			Path, Mode, Type string
			SHA, Content     *string
		}
	}
	if !decode(w, r, &req) {
		return
	}
	files := map[string]treeEntry{}
	for _, e := range f.files(req.BaseTree, "", false) {
		files[e.Path] = e
	}
	for _, e := range req.Tree {
		switch {
		case e.Path == "" || strings.HasPrefix(e.Path, "/") || e.Mode == "":
			refuseREST(w, http.StatusUnprocessableEntity, "Invalid tree info")
			return
		case e.Content != nil:
			files[e.Path] = treeEntry{e.Path, e.Mode, "blob", f.addBlob([]byte(*e.Content))}
		case e.SHA == nil:
			delete(files, e.Path)
		case f.data.GitBlobs[*e.SHA] == nil:
			refuseREST(w, http.StatusUnprocessableEntity, "tree.sha "+*e.SHA+" is not a valid blob")
			return
		default:
			files[e.Path] = treeEntry{e.Path, e.Mode, "blob", *e.SHA}
		}
	}
	if len(files) == 0 {
		refuseREST(w, http.StatusUnprocessableEntity, "Invalid tree info")
		return
	}
	var entries []treeEntry
	for _, e := range files {
		entries = append(entries, e)
	}
	answerJSON(w, http.StatusCreated, f.treeJSON(r, f.addTree(entries), false))
}

func (f *Fake) showTree(w http.ResponseWriter, r *http.Request) {
	sha := r.PathValue("sha")
	if c, ok := f.data.Commits[sha]; ok {
		sha = c.Tree
	}
	if _, ok := f.data.Trees[sha]; !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusOK, f.treeJSON(r, sha, r.URL.Query().Has("recursive")))
}

func (f *Fake) treeJSON(r *http.Request, sha string, recursive bool) map[string]any {
	entries := f.data.Trees[sha]
	if recursive {
		entries = f.files(sha, "", true)
	}
	list := []any{}
	for _, e := range entries {
		entry := map[string]any{"path": e.Path, "mode": e.Mode, "type": e.Type, "sha": e.SHA, "url": self(r, "git/%ss/%s", e.Type, e.SHA)}
		if e.Type == "blob" {
			entry["size"] = len(f.data.GitBlobs[e.SHA])
		}
		list = append(list, entry)
	}
	return map[string]any{"sha": sha, "url": self(r, "git/trees/%s", sha), "truncated": false, "tree": list}
}

func (f *Fake) createCommit(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Message, Tree     string
		Parents           []string
		Author, Committer *Signature
	}
	if !decode(w, r, &req) {
		return
	}
	if _, ok := f.data.Trees[req.Tree]; !ok {
		refuseREST(w, http.StatusUnprocessableEntity, "Tree SHA does not exist")
		return
	}
	for _, parent := range req.Parents {
		if _, ok := f.data.Commits[parent]; !ok {
			refuseREST(w, http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
			return
		}
	}
	c := Commit{Message: req.Message, Tree: req.Tree, Parents: req.Parents}
	c.Author = f.signedBy(r, req.Author)
	c.Committer = c.Author
	if req.Committer != nil {
		c.Committer = f.signedBy(r, req.Committer)
	}
	answerJSON(w, http.StatusCreated, c.json(r, f.addCommit(c)))
}

// signedBy completes a signature with who asks, and the time.
func (f *Fake) signedBy(r *http.Request, s *Signature) Signature {
	full := Signature{f.login(r), f.login(r) + "@users.noreply.github.com", time.Time{}}
	if s != nil {
		full = *s
	}
	if full.Date.IsZero() {
		full.Date = f.options.Now()
	}
	full.Date = full.Date.UTC().Truncate(time.Second)
	return full
}

func (f *Fake) showCommit(w http.ResponseWriter, r *http.Request) {
	c, ok := f.data.Commits[r.PathValue("sha")]
	if !ok {
		refuseREST(w, http.StatusNotFound, "Not Found")
		return
	}
	answerJSON(w, http.StatusOK, c.json(r, r.PathValue("sha")))
}

func (c Commit) json(r *http.Request, sha string) map[string]any {
	parents := []any{}
	for _, parent := range c.Parents {
		parents = append(parents, map[string]any{"sha": parent, "url": self(r, "git/commits/%s", parent), "html_url": self(r, "commit/%s", parent)})
	}
	by := func(s Signature) map[string]any {
		return map[string]any{"name": s.Name, "email": s.Email, "date": s.Date.Format(time.RFC3339)}
	}
	return complete("git-commit", map[string]any{
		"sha": sha, "message": c.Message, "author": by(c.Author), "committer": by(c.Committer), "parents": parents,
		"tree": map[string]any{"sha": c.Tree, "url": self(r, "git/trees/%s", c.Tree)}, "url": self(r, "git/commits/%s", sha),
	})
}
