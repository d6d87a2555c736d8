package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// write makes files below dir. A name ending in a slash is a folder; content
// that begins with an arrow is the target of a symbolic link.
func write(t testing.TB, dir string, content map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(content)) {
		full := filepath.Join(dir, name)
		folder := filepath.Dir(full)
		if strings.HasSuffix(name, "/") {
			folder = full
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content[name], "→"); ok {
			err = os.Symlink(target, full)
		} else if folder != full {
			err = os.WriteFile(full, []byte(content[name]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// contextOf is a build context with these files.
func contextOf(t testing.TB, content map[string]string, ignore ...string) View {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, content)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	matcher, err := patternmatcher.New(ignore)
	if err != nil {
		t.Fatal(err)
	}
	return Context(root, matcher)
}

// item is an entry of a layer and its content.
type item struct {
	tar.Header
	content string
}

// items reads a compact form of a layer, one entry for each text:
// "mode uid:gid name[/|=content|→link|⇒hard link]".
func items(t testing.TB, lines ...string) []item {
	t.Helper()
	var found []item
	for _, line := range lines {
		var i item
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 {
			t.Fatalf("bad entry %q", line)
		}
		if _, err := fmt.Sscanf(fields[0]+" "+fields[1], "%o %d:%d", &i.Mode, &i.Uid, &i.Gid); err != nil {
			t.Fatal(err)
		}
		i.Name, i.Typeflag = fields[2], tar.TypeReg
		if name, text, ok := strings.Cut(i.Name, "="); ok {
			i.Name, i.content, i.Size = name, text, int64(len(text))
		} else if name, link, ok := strings.Cut(i.Name, "→"); ok {
			i.Name, i.Linkname, i.Typeflag = name, link, tar.TypeSymlink
		} else if name, link, ok := strings.Cut(i.Name, "⇒"); ok {
			i.Name, i.Linkname, i.Typeflag = name, link, tar.TypeLink
		} else if strings.HasSuffix(i.Name, "/") {
			i.Typeflag = tar.TypeDir
		}
		found = append(found, i)
	}
	return found
}

// layers is an image whose layers together have these entries.
func layers(t testing.TB, lines ...string) View {
	t.Helper()
	found := items(t, lines...)
	return Layers(func(_ context.Context, visit func(*tar.Header, io.Reader) error) error {
		for i := range found {
			if err := visit(&found[i].Header, strings.NewReader(found[i].content)); err != nil {
				return err
			}
		}
		return nil
	})
}

// archiveOf is an archive with these entries.
func archiveOf(t testing.TB, lines ...string) string {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, i := range items(t, lines...) {
		i.ModTime = time.Unix(7, 0)
		if err := w.WriteHeader(&i.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}

// archived writes a layer.
func archived(t testing.TB, entries []Planned, when Times) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	if err := Write(t.Context(), w, entries, when); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// lines reads a layer into the form that items reads.
func lines(t testing.TB, layer []byte) []string {
	t.Helper()
	found := []string{}
	archive := tar.NewReader(bytes.NewReader(layer))
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%o %d:%d %s", h.Mode, h.Uid, h.Gid, h.Name)
		switch {
		case h.Typeflag == tar.TypeReg && !strings.HasPrefix(filepath.Base(h.Name), ".wh."):
			text += "=" + string(content)
		case h.Typeflag == tar.TypeSymlink:
			text += "→" + h.Linkname
		case h.Typeflag == tar.TypeLink:
			text += "⇒" + h.Linkname
		}
		if h.PAXRecords[capabilityRecord] != "" {
			text += " +capability"
		}
		found = append(found, text)
	}
}

// copyAction is what the Dockerfile "COPY source target" becomes.
func copyAction(source, target string) *pb.FileActionCopy {
	return &pb.FileActionCopy{
		Src: source, Dest: target, Mode: -1, Timestamp: -1, FollowSymlink: true, DirCopyContents: true,
		CreateDestPath: true, AllowWildcard: true, AllowEmptyWildcard: true,
	}
}

// step is a step of actions, one after another, of which the first starts from
// input 0, and those that copy read input 1.
func step(actions ...any) *pb.FileOp {
	op := &pb.FileOp{}
	for i, action := range actions {
		a := &pb.FileAction{Input: int64(i + 1), SecondaryInput: -1, Output: -1}
		if i == 0 {
			a.Input = 0
		}
		if i == len(actions)-1 {
			a.Output = 0
		}
		switch action := action.(type) {
		case *pb.FileActionCopy:
			a.Action, a.SecondaryInput = &pb.FileAction_Copy{Copy: action}, 1
		case *pb.FileActionMkDir:
			a.Action = &pb.FileAction_Mkdir{Mkdir: action}
		case *pb.FileActionMkFile:
			a.Action = &pb.FileAction_Mkfile{Mkfile: action}
		case *pb.FileActionSymlink:
			a.Action = &pb.FileAction_Symlink{Symlink: action}
		case *pb.FileActionRm:
			a.Action = &pb.FileAction_Rm{Rm: action}
		}
		op.Actions = append(op.Actions, a)
	}
	return op
}

// planned plans a step and returns its layer.
func planned(t testing.TB, op *pb.FileOp, inputs ...View) []string {
	t.Helper()
	entries, err := Plan(t.Context(), op, inputs)
	if err != nil {
		t.Fatal(err)
	}
	layer := archived(t, entries, Times{Fixed: time.Unix(1, 0)})
	if again := archived(t, entries, Times{Fixed: time.Unix(1, 0)}); !bytes.Equal(layer, again) {
		t.Error("the same plan was written differently")
	}
	return lines(t, layer)
}

// problem returns the detail of the problem that planning ends in.
func problem(t testing.TB, op *pb.FileOp, inputs ...View) string {
	t.Helper()
	_, err := Plan(t.Context(), op, inputs)
	p, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Fatalf("Plan() = %v, want a problem", err)
	}
	return p.Summary + ": " + p.Detail
}

// timeOf returns the time of a layer's first entry.
func timeOf(t testing.TB, layer []byte) time.Time {
	t.Helper()
	header, err := tar.NewReader(bytes.NewReader(layer)).Next()
	if err != nil {
		t.Fatal(err)
	}
	return header.ModTime
}

// writeTo writes a layer whose errors matter.
func writeTo(ctx context.Context, to io.Writer, entries []Planned) error {
	return Write(ctx, tar.NewWriter(to), entries, Times{})
}
