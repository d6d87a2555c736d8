// Package untar writes the archive of an image layer into a folder. Layers come
// from anywhere, so nothing in one can make it write outside that folder: links
// are resolved as if the folder were "/". It neither decompresses nor compares
// digests, and knows no image.
package untar

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/docker/go-units"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Apply applies one layer, a tar archive that is not compressed, to root: its
// entries replace those of earlier layers, and its whiteouts remove them.
// Owners, attributes and device nodes are left out where this process may not
// make them. The archive is read to its end, padding included, so that the
// caller can compare a digest. After an error root holds a part of the layer.
func Apply(ctx context.Context, root *os.Root, layer io.Reader) error {
	counter := &countingReader{from: layer}
	tree, err := newTree(ctx, root, counter)
	if err != nil {
		return err
	}
	err = tree.applyAll(counter)
	return cmp.Or(tree.close(), err) // the former ended the latter
}

// applyAll does what all entries of an archive say.
func (t *tree) applyAll(layer io.Reader) error {
	archive := tar.NewReader(layer)
	last := ""
	for {
		if err := context.Cause(t.ctx); err != nil {
			return err
		}
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return damaged(err, last)
		}
		if err := t.apply(header, archive); err != nil {
			return fmt.Errorf("writing %q: %w", header.Name, damaged(err, header.Name))
		}
		last = header.Name
	}
	if _, err := io.Copy(io.Discard, layer); err != nil {
		return err
	}
	return t.setFolderTimes()
}

// damaged explains an archive that cannot be read on. Other errors come back as
// they are.
func damaged(err error, last string) error {
	if !errors.Is(err, tar.ErrHeader) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	where := "from its beginning"
	if last != "" {
		where = fmt.Sprintf("behind its entry %q", last)
	}
	return &diag.Problem{
		Summary: "Damaged image layer",
		Detail:  fmt.Sprintf("The archive of the layer cannot be read %s. The image was stored so, or was cut off: build and push it again, or name another one.", where),
		Err:     err,
	}
}

// Every layer may grow to minLimit; a larger one only to maxRatio times its
// compressed size. Real files shrink by less, even with large empty parts.
const (
	minLimit = 8 << 30
	maxRatio = 100
)

// CheckGrowth returns a problem if a layer became so much larger by being
// unpacked that it can only be meant to fill the disk. It is asked again and
// again while a layer is read: in bytes were read, and became out.
func CheckGrowth(in, out int64) error {
	if out <= minLimit || out/maxRatio <= in {
		return nil
	}
	return &diag.Problem{
		Summary: "Image layer grows without measure",
		Detail: fmt.Sprintf("%s of a layer became more than %s when it was unpacked, which is more than %d times as much. "+
			"Unpacking stopped there, since such a layer is made to fill a disk. Use an image that you trust.", units.BytesSize(float64(in)), units.BytesSize(float64(out)), maxRatio),
	}
}

// countingReader counts what was read.
type countingReader struct {
	from io.Reader
	read int64
}

// Read implements [io.Reader].
func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.read += int64(n)
	return n, err
}
