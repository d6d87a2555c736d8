package oci

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Lend gives a blob of the layout a second name, path, on the same disk without
// copying it. A file that is there is replaced as a whole.
func (l *Layout) Lend(desc v1.Descriptor, path string) error {
	if err := share(l.blobPath(desc.Digest), path); err != nil {
		return fmt.Errorf("copying layer %s: %w", desc.Digest, err)
	}
	return nil
}

// Borrow is the reverse of [Layout.Lend]: a file elsewhere becomes a blob of the
// layout. The caller vouches for its content, only the size is compared. Where
// the layout has the blob, nothing happens.
func (l *Layout) Borrow(desc v1.Descriptor, path string) error {
	if l.has(desc) {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() != desc.Size {
		err = fmt.Errorf("it has %d bytes and should have %d", info.Size(), desc.Size)
	}
	if err == nil {
		err = share(path, l.blobPath(desc.Digest))
	}
	if err != nil {
		return fmt.Errorf("keeping layer %s: %w", desc.Digest, err)
	}
	l.has(desc) // marks it as in use, whatever the age of the file
	return nil
}

// Holds reports whether the layout has a layer's blob.
func (l *Layout) Holds(layer Layer) bool { return l.has(layer.Descriptor) }

// Open opens the blob of a layer that the layout holds.
func (l *Layout) Open(layer Layer) (*os.File, error) {
	file, err := os.Open(l.blobPath(layer.Descriptor.Digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return file, nil
}

// Take copies the blob of a layer into the layout. It is an error if content is
// another one.
func (l *Layout) Take(layer Layer, content io.Reader) error {
	if err := l.copyBlob(content, layer.Descriptor.Digest); err != nil {
		return fmt.Errorf("keeping layer %s: %w", layer.Descriptor.Digest, err)
	}
	return nil
}

// share makes to the same file as from, or a copy of it where the disk is
// another one.
func share(from, to string) error {
	temp, err := os.CreateTemp(filepath.Dir(to), ".layer-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // renamed if all went well
	if os.Remove(temp.Name()) == nil && os.Link(from, temp.Name()) == nil {
		temp.Close()
		return os.Rename(temp.Name(), to)
	}
	temp.Close()
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), ".layer-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // renamed if all went well
	if _, err := io.Copy(temp, source); err != nil {
		temp.Close()
		return err
	}
	return publish(temp, to)
}

// Content returns a layer that the layout holds, for storing it elsewhere.
func (l *Layout) Content(layer Layer) v1.Layer {
	return heldLayer{blob{layer.Descriptor, func() (io.ReadCloser, error) { return l.openBlob(layer.Descriptor.Digest) }}, l, layer.DiffID}
}

// heldLayer is a layer whose digests are all known.
type heldLayer struct {
	blob
	layout *Layout
	diffID v1.Hash
}

var _ v1.Layer = heldLayer{}

// DiffID implements [v1.Layer].
func (h heldLayer) DiffID() (v1.Hash, error) { return h.diffID, nil }

// Uncompressed implements [v1.Layer].
func (h heldLayer) Uncompressed() (io.ReadCloser, error) {
	return h.layout.OpenLayer(h.desc, h.diffID)
}
