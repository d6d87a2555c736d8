package github_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const lockRef = "refs/deploy-action/locks/web"

// TestFileOnARef writes a file to a ref of its own and reads it back.
func TestFileOnARef(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	client := newClient(t, fake)
	content := strings.Repeat("\x00\xff state ", 100)
	blob, err := client.CreateBlob(t.Context(), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := client.CreateTree(t.Context(), []github.TreeEntry{{Path: "state", Blob: blob}})
	if err != nil {
		t.Fatal(err)
	}
	want := github.Commit{Message: "state of web", Tree: tree, Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	sha, err := client.CreateCommit(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	child, err := client.CreateCommit(t.Context(), github.Commit{Message: "next", Tree: tree, Parents: []string{sha}})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateRef(t.Context(), lockRef, child); err != nil {
		t.Fatal(err)
	}

	got, found, err := client.Ref(t.Context(), lockRef)
	if err != nil || !found || got != child {
		t.Fatalf("Ref() = %q, %v, %v, want %q", got, found, err, child)
	}
	last, err := client.Commit(t.Context(), got)
	if err != nil || len(last.Parents) != 1 || last.Date.IsZero() {
		t.Fatalf("Commit() = %+v, %v, want one with a parent and a date", last, err)
	}
	first, err := client.Commit(t.Context(), last.Parents[0])
	if diff := cmp.Diff(want, first); diff != "" || err != nil {
		t.Errorf("Commit() error %v (-want +got):\n%s", err, diff)
	}
	files, err := client.Tree(t.Context(), first.Tree)
	if err != nil || len(files) != 1 || files[0].Path != "state" {
		t.Fatalf("Tree() = %v, %v, want the file", files, err)
	}
	if read, err := client.Blob(t.Context(), files[0].Blob); err != nil || string(read) != content {
		t.Errorf("Blob() = %q, %v, want what was written", read, err)
	}
}

func TestRefThatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.SetRef("refs/heads/main-2", w.base)
	if sha, found, err := w.client.Ref(t.Context(), "refs/heads/mai"); found || err != nil {
		t.Errorf("Ref() = %q, %v, %v, want that it is not found", sha, found, err)
	}
	refs, err := w.client.Refs(t.Context(), "refs/heads/main")
	want := map[string]string{"refs/heads/main": w.base, "refs/heads/main-2": w.base}
	if diff := cmp.Diff(want, refs); diff != "" || err != nil {
		t.Errorf("Refs() error %v (-want +got):\n%s", err, diff)
	}
}

// TestOnlyOneWins lets two hold the same ref: the slower one must learn that.
func TestOnlyOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rival := w.fake.AddCommit("rival", w.base)
	unrelated := w.fake.AddCommit("unrelated")
	cases := map[string]struct {
		now  string // "" for no ref
		do   func(ref string) error
		want error // nil for success
	}{
		"create":                   {"", func(ref string) error { return w.client.CreateRef(t.Context(), ref, w.base) }, nil},
		"create, there is one":     {rival, func(ref string) error { return w.client.CreateRef(t.Context(), ref, w.base) }, github.ErrConflict},
		"update":                   {w.base, func(ref string) error { return w.client.UpdateRef(t.Context(), ref, w.base, w.next) }, nil},
		"update, somebody did":     {rival, func(ref string) error { return w.client.UpdateRef(t.Context(), ref, w.base, w.next) }, github.ErrConflict},
		"update, it was deleted":   {"", func(ref string) error { return w.client.UpdateRef(t.Context(), ref, w.base, w.next) }, github.ErrNotFound},
		"update, it is there":      {w.next, func(ref string) error { return w.client.UpdateRef(t.Context(), ref, w.base, w.next) }, nil},
		"update to another branch": {w.base, func(ref string) error { return w.client.UpdateRef(t.Context(), ref, w.base, unrelated) }, errAnswer},
		"create of nothing":        {"", func(ref string) error { return w.client.CreateRef(t.Context(), ref, head) }, errAnswer},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ref := "refs/locks/" + strings.ReplaceAll(name, " ", "-")
			if c.now != "" {
				w.fake.SetRef(ref, c.now)
			}
			err := c.do(ref)
			if _, answer := errors.AsType[*github.AnswerError](err); c.want == errAnswer && !answer || c.want != errAnswer && !errors.Is(err, c.want) {
				t.Errorf("error = %v, want %v", err, c.want)
			}
			if err != nil && w.fake.Ref(ref) != c.now {
				t.Errorf("the ref moved to %q although there was an error", w.fake.Ref(ref))
			}
		})
	}
}

// errAnswer stands for any AnswerError.
var errAnswer = errors.New("an AnswerError")

// TestRefusalThatCannotBeExplained loses the question after the refusal.
func TestRefusalThatCannotBeExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.SetRef(lockRef, w.next)
	w.fake.Refuse(refuseTimes(-1, "/git/matching-refs/deploy-action/locks/web", githubfake.Refusal{Status: http.StatusForbidden, Body: `{"message":"no"}`}))
	err := w.client.CreateRef(t.Context(), lockRef, w.base)
	if errors.Is(err, github.ErrConflict) || err == nil || !strings.Contains(err.Error(), "Reference already exists") || !strings.Contains(err.Error(), "contents: read") {
		t.Errorf("CreateRef() = %v, want both refusals", err)
	}
}

// TestCommitsAreRepeatable makes a commit whose first answer is late: its date
// must be that of the first try.
func TestCommitsAreRepeatable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.Refuse(refuseTimes(1, "/git/commits", githubfake.Refusal{Status: http.StatusBadGateway, Header: http.Header{"Retry-After": {"30"}}}))
		start := time.Now()
		sha, err := w.client.CreateCommit(t.Context(), github.Commit{Message: "x", Tree: w.tree})
		if err != nil {
			t.Fatal(err)
		}
		made, err := w.client.Commit(t.Context(), sha)
		if err != nil || !made.Date.Equal(start) || time.Since(start) < 30*time.Second {
			t.Errorf("Commit() = %+v, %v after %v, want the date of the first try, %v", made, err, time.Since(start), start)
		}
	})
}

func TestCompare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sibling := w.fake.AddCommit("sibling", w.base)
	w.fake.SetRef("refs/heads/a/b", sibling)
	cases := map[string]struct{ base, head, want string }{
		"same":           {w.base, "main", github.Identical},
		"newer":          {w.base, w.next, github.Ahead},
		"older":          {w.next, w.base, github.Behind},
		"siblings":       {w.next, "a/b", github.Diverged},
		"unknown commit": {w.base, head, ""},
		"unrelated":      {w.base, w.fake.AddCommit("unrelated"), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := w.client.Compare(t.Context(), c.base, c.head)
			if got != c.want || errors.Is(err, github.ErrNotFound) != (c.want == "") {
				t.Errorf("Compare(%q, %q) = %q, %v, want %q", c.base, c.head, got, err, c.want)
			}
		})
	}
}

func TestUnknownObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, do := range map[string]func() error{
		"commit": func() error { return second(w.client.Commit(t.Context(), head)) },
		"tree":   func() error { return second(w.client.Tree(t.Context(), head)) },
		"blob":   func() error { return second(w.client.Blob(t.Context(), head)) },
	} {
		if err := do(); !errors.Is(err, github.ErrNotFound) || !strings.Contains(err.Error(), head) {
			t.Errorf("reading a %s that is not: %v, want ErrNotFound and its name", name, err)
		}
	}
}
