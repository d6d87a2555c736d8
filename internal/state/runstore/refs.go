package runstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// refs is the place in git: for each key a ref of its own, whose commit holds
// the state file and nothing else. Who may write the ref may write the code as
// well, so what lies there is believed.
//
// A ref is moved to a child of the commit that was read and never forced, so of
// two that write at once one reads what the other wrote, and writes again.
type refs struct {
	client *github.Client
	run    string         // the page of the run, for messages of commits; or ""
	at     map[key]string // the commit that was read or made; "" where there is no ref
}

var _ place = (*refs)(nil)

func (p *refs) read(ctx context.Context, k key, v *view) error {
	sha, found, err := p.client.Ref(ctx, k.ref())
	if err != nil {
		return err
	}
	if last, known := p.at[k]; found && (!known || sha != last) {
		if err := p.readCommit(ctx, sha, v); err != nil {
			return fmt.Errorf("commit %s of %s: %w", sha, k.ref(), err)
		}
	}
	p.at[k] = sha
	return nil
}

func (p *refs) readCommit(ctx context.Context, sha string, v *view) error {
	// A commit stands for its tree, which saves a request.
	files, err := p.client.Tree(ctx, sha)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(files, func(f github.TreeEntry) bool { return f.Path == file })
	if at < 0 {
		return fmt.Errorf("%w: there is no %s", github.ErrContent, file)
	}
	content, err := p.client.Blob(ctx, files[at].Blob)
	if err != nil {
		return err
	}
	_, err = v.add(content)
	return err
}

// reread reads only where a write to what was read before cannot succeed.
func (p *refs) reread(ctx context.Context, k key, v *view, _ bool) error {
	if _, known := p.at[k]; known {
		return nil
	}
	return p.read(ctx, k, v)
}

// search has nothing to do: all that was kept is on the ref.
func (p *refs) search(context.Context, key, *view, []claim.Intent) error { return nil }

func (p *refs) write(ctx context.Context, k key, _ *view, content []byte) error {
	from := p.at[k]
	to, err := p.commit(ctx, k, from, content)
	if err != nil {
		return err
	}
	if from == "" {
		err = p.client.CreateRef(ctx, k.ref(), to)
	} else {
		err = p.client.UpdateRef(ctx, k.ref(), from, to)
	}
	if err == nil {
		p.at[k] = to
	} else if moved(err) {
		delete(p.at, k)
		err = retry.Transient(err)
	}
	return err
}

// moved reports whether a ref may not be any more where it was read. GitHub may
// refuse to move it while its other servers still show it where it was.
func moved(err error) bool {
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		return false
	}
	answer, answered := errors.AsType[*github.AnswerError](err)
	return errors.Is(err, github.ErrConflict) || errors.Is(err, github.ErrNotFound) ||
		answered && answer.Status == http.StatusUnprocessableEntity
}

// commit makes a child of the commit that was read.
func (p *refs) commit(ctx context.Context, k key, from string, content []byte) (sha string, err error) {
	blob, err := p.client.CreateBlob(ctx, content)
	if err != nil {
		return "", err
	}
	tree, err := p.client.CreateTree(ctx, []github.TreeEntry{{Path: file, Blob: blob}})
	if err != nil {
		return "", err
	}
	message := fmt.Sprintf("State of app %q in workspace %q\n", k.app, k.workspace)
	if p.run != "" {
		message += "\n" + p.run + "\n"
	}
	commit := github.Commit{Message: message, Tree: tree}
	if from != "" {
		commit.Parents = []string{from}
	}
	return p.client.CreateCommit(ctx, commit)
}

// allowed reports whether the token may write, by making a file that no commit
// holds. Nobody sees it, and git removes it some day.
func (p *refs) allowed(ctx context.Context) error {
	_, err := p.client.CreateBlob(ctx, []byte("deploy-action\n"))
	return err
}
