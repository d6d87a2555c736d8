// Package imagetree reads an image into what its files are, so that tests can
// compare images that two programs made of the same Dockerfile.
//
// A file counts for its path, kind, mode, owner, link target, device number,
// content, extended attributes, and for the other names of the same file. Times
// do not count, nor which layer has what. Layers are applied strictly: an entry
// below a symbolic link puts a folder in its place, as engines do that unpack
// every layer by itself.
package imagetree

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Tree is the files of an image. It is not changed once returned, and may be
// used concurrently.
type Tree struct {
	files map[string]*file // by path, without slashes around; "." is the root
}

// file is one inode: hard links share it. It is not changed once it is in a tree.
type file struct {
	kind    byte // as in tar headers
	mode    int64
	owner   string
	target  string // of a symbolic link
	device  string
	content string // or its digest
	xattrs  []string
}

// Read applies an image's layers.
func Read(image v1.Image) (*Tree, error) { return (&Reader{}).Read(image) }

// readLayer returns what is left of lower under a layer, with the layer on top.
func readLayer(lower *Tree, content io.Reader) (*Tree, error) {
	a := applying{lower: lower, files: maps.Clone(lower.files), added: map[string]bool{}}
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return &Tree{a.files}, nil
		}
		if err == nil {
			err = a.entry(header, archive)
		}
		if err != nil {
			return nil, err
		}
	}
}

// applying is a layer on its way onto others.
type applying struct {
	lower *Tree
	files map[string]*file
	added map[string]bool // what this layer has, with its parents, which its whiteouts do not concern
}

// What names of whiteouts begin with.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

func (a *applying) entry(header *tar.Header, content io.Reader) error {
	name := clean(header.Name)
	switch dir, base := path.Split(name); {
	case base == opaque:
		a.hide(clean(dir), false)
		return nil
	case strings.HasPrefix(base, whiteout):
		a.hide(path.Join(dir, strings.TrimPrefix(base, whiteout)), true)
		return nil
	}
	if header.Typeflag == tar.TypeLink {
		target := a.files[clean(header.Linkname)]
		if target == nil {
			return fmt.Errorf("%s is a hard link to %s, which is not there", name, header.Linkname)
		}
		a.put(name, target)
		return nil
	}
	f := &file{kind: header.Typeflag, mode: header.Mode & 0o7777, owner: fmt.Sprintf("%d:%d", header.Uid, header.Gid)}
	switch header.Typeflag {
	case tar.TypeReg:
		var err error
		if f.content, err = describe(content, header.Size); err != nil {
			return err
		}
	case tar.TypeSymlink:
		f.target = header.Linkname
		f.mode = 0o777 // Linux has no other
	case tar.TypeChar, tar.TypeBlock:
		f.device = fmt.Sprintf("%d:%d", header.Devmajor, header.Devminor)
	}
	for key, value := range header.PAXRecords {
		if attribute, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			f.xattrs = append(f.xattrs, fmt.Sprintf("%s=%q", attribute, value))
		}
	}
	slices.Sort(f.xattrs)
	a.put(name, f)
	return nil
}

// describe tells content: a short one as it is, so that a difference is seen.
func describe(content io.Reader, size int64) (string, error) {
	digest, start := sha256.New(), &strings.Builder{}
	if _, err := io.Copy(digest, io.TeeReader(io.LimitReader(content, maxShown+1), start)); err != nil {
		return "", err
	}
	if start.Len() <= maxShown {
		return fmt.Sprintf("%q", start), nil
	}
	if _, err := io.Copy(digest, content); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes %x", size, digest.Sum(nil)[:8]), nil
}

// maxShown is how many bytes of content are told as they are.
const maxShown = 400

// put adds a file, and the folders that it needs.
func (a *applying) put(name string, f *file) {
	if f.kind != tar.TypeDir {
		a.remove(name)
	}
	a.files[name], a.added[name] = f, true
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if above := a.files[dir]; above == nil || above.kind != tar.TypeDir {
			a.files[dir] = &file{kind: tar.TypeDir, mode: 0o755, owner: "0:0"}
		}
		a.added[dir] = true
		if dir == "." {
			return
		}
	}
}

// hide removes what is below a path of lower layers, and with self the path too.
func (a *applying) hide(name string, self bool) {
	for other := range a.lower.files {
		if !a.added[other] && (self && other == name || below(name, other)) {
			delete(a.files, other)
		}
	}
}

// remove removes a path with all below it.
func (a *applying) remove(name string) {
	if old := a.files[name]; old == nil || old.kind != tar.TypeDir {
		delete(a.files, name)
		return
	}
	maps.DeleteFunc(a.files, func(other string, _ *file) bool { return other == name || below(name, other) })
}

func below(dir, name string) bool {
	return dir == "." && name != "." || strings.HasPrefix(name, dir+"/")
}

// clean returns a path as trees have it.
func clean(name string) string { return path.Clean(strings.TrimLeft(path.Clean("/"+name), "/")) }
