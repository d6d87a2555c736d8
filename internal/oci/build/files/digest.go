package files

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"runtime"
	"sync/atomic"

	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sync/errgroup"
)

// Digest is equal for two views if an action copies the same from both: names,
// links, modes, owners, capabilities and content, and with Times.Keep the times
// as well. What the patterns of the action leave out does not count. An error
// is mostly one that [Plan] reports better.
func Digest(ctx context.Context, a *pb.FileActionCopy, from View, when Times) (string, error) {
	d := &digester{when: when}
	d.from, d.action = from, a
	var err error
	if d.include, err = patterns(a.IncludePatterns); err != nil {
		return "", err
	}
	if d.exclude, err = patterns(a.ExcludePatterns); err != nil {
		return "", err
	}
	sources, err := d.sources(ctx)
	if err != nil {
		return "", err
	}
	for _, source := range sources {
		if err := d.source(ctx, source); err != nil {
			return "", err
		}
	}
	return d.sum(ctx)
}

// digester walks through what a copy would read.
type digester struct {
	copier
	when    Times
	entries []digested
	names   map[any]string // of files with several names, the first
}

// digested is one entry: a line that describes it, and what has its content.
type digested struct {
	line string
	file *viewed // nil for all but regular files
}

// source takes a source and all below it. ADD looks behind links for archives.
func (d *digester) source(ctx context.Context, name string) error {
	follow := resolveParent
	if d.action.FollowSymlink || d.action.AttemptUnpackDockerCompatibility {
		follow = Resolve
	}
	followed, err := follow(ctx, d.from, name)
	if err != nil {
		return err
	}
	e, err := d.from.Lstat(ctx, followed)
	if err != nil {
		return err
	}
	d.names = map[any]string{}
	d.entries = append(d.entries, digested{line: fmt.Sprintf("source %q is %q", name, followed)})
	_, err = d.walk(ctx, e, "", matched{})
	return err
}

// walk takes e, which is at the path relative below the source, and reports
// whether it or anything in it is copied: a folder that no pattern names is
// made only then.
func (d *digester) walk(ctx context.Context, e Entry, relative string, above matched) (bool, error) {
	chosen, err := d.choose(relative, above)
	if err != nil {
		return false, err
	}
	if !e.folder() {
		if chosen.copied {
			d.add(&e, relative)
		}
		return chosen.copied, nil
	}
	before := len(d.entries)
	d.add(&e, relative)
	copied := chosen.copied
	if !chosen.excluded || d.exclude.Exclusions() {
		children, err := d.from.ReadDir(ctx, e.Name)
		if err != nil {
			return false, err
		}
		for _, child := range children {
			some, err := d.walk(ctx, child, path.Join(relative, path.Base(child.Name)), chosen.info)
			if err != nil {
				return false, err
			}
			copied = copied || some
		}
	}
	if !copied {
		d.entries = d.entries[:before]
	}
	return copied, nil
}

// add describes an entry.
func (d *digester) add(e *Entry, relative string) {
	m := metaOf(&e.Header)
	if !d.when.Keep {
		m.modified = 0
	}
	entry := digested{line: fmt.Sprintf("%q %c %o %d:%d %d:%d %d %d %q %q",
		relative, m.kind, m.mode, m.uid, m.gid, m.major, m.minor, m.size, m.modified, m.link, m.capability)}
	if m.kind == tar.TypeReg {
		entry.file = &viewed{view: d.from, name: e.Name, size: e.Header.Size, modified: e.Header.ModTime}
	}
	if e.Same != nil && m.kind == tar.TypeReg {
		first, known := d.names[e.Same]
		if !known {
			d.names[e.Same], first = relative, relative
		}
		entry.line += fmt.Sprintf(" same as %q", first)
	}
	d.entries = append(d.entries, entry)
}

// sum hashes all entries, several files at a time: one goroutine takes many, so
// that a million need neither as many goroutines nor as many buffers.
func (d *digester) sum(ctx context.Context) (string, error) {
	contents := make([][sha256.Size]byte, len(d.entries))
	group, inner := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	var next atomic.Int64
	for range workers {
		group.Go(func() error {
			buffer := make([]byte, chunk)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(d.entries) {
					return nil
				}
				if file := d.entries[i].file; file != nil {
					if err := hashFile(inner, file, buffer, &contents[i]); err != nil {
						return err
					}
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	all := sha256.New()
	for i, e := range d.entries {
		fmt.Fprintf(all, "%s %x\n", e.line, contents[i])
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

func hashFile(ctx context.Context, file *viewed, buffer []byte, into *[sha256.Size]byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	content, err := file.open(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, content, buffer); err != nil {
		return err
	}
	hash.Sum(into[:0])
	return nil
}
