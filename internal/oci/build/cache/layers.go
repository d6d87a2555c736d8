package cache

import (
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// HoldsLayer reports whether the folder has the content of a layer, whose digest
// is id, in a form that is quick to read: that of a base image that commands run
// in again and again.
func (c *Cache) HoldsLayer(id v1.Hash) bool {
	if c == nil || c.folder == nil || c.gone(id.String()) {
		return false
	}
	info, err := os.Stat(c.folder.path(layersName, id.Hex))
	return err == nil && info.Size() > 0
}

// OpenLayer opens what [Cache.HoldsLayer] found, for reading the layer's archive.
// What is read is compared with the digest; whatever goes wrong with it is for
// [Cache.BreakLayer]. The caller closes it.
func (c *Cache) OpenLayer(id v1.Hash) (io.ReadCloser, error) {
	name := c.folder.path(layersName, id.Hex)
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	touch(name)
	return oci.ReadLayer(file, id)
}

// BreakLayer removes such a layer, which proved unusable, and returns the
// [BrokenError] that says so.
func (c *Cache) BreakLayer(id v1.Hash, cause error) error {
	_ = os.Remove(c.folder.path(layersName, id.Hex)) // it is not asked for again in this build
	return &BrokenError{Key: id.String(), Err: cause}
}

// KeepLayer returns the content of a layer, and keeps what is read of it if that
// is the whole. Where the folder may be gone tomorrow, only a layer that is read
// for a second time is worth it. That it cannot be written harms nothing. Closing
// the result closes content.
func (c *Cache) KeepLayer(id v1.Hash, content io.ReadCloser) io.ReadCloser {
	if c == nil || c.folder == nil {
		return content
	}
	name := c.folder.path(layersName, id.Hex)
	if !c.folder.lasting && !exists(name) {
		_ = c.folder.replace(name, nil) // without content it says that the layer was read once
		return content
	}
	file, err := os.CreateTemp(c.folder.path(layersName, ""), newPrefix+"*")
	if err != nil {
		return content
	}
	packer, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false)) // the digest is compared anyway
	if err != nil {
		file.Close()
		_ = os.Remove(file.Name()) // or else by whoever cleans up
		return content
	}
	return &keeping{content: content, file: file, packer: packer, name: name}
}

// keeping is the content of a layer that is kept while it is read.
type keeping struct {
	content io.ReadCloser
	file    *os.File
	packer  *zstd.Encoder
	name    string // what file will be
	whole   bool
	failed  error // of the keeping
}

// Read implements [io.Reader].
func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.content.Read(p)
	if k.failed == nil {
		_, k.failed = k.packer.Write(p[:n])
	}
	k.whole = k.whole || err == io.EOF // which content says once its digest is right
	return n, err
}

// Close implements [io.Closer].
func (k *keeping) Close() error {
	k.failed = errors.Join(k.failed, k.packer.Close(), k.file.Close())
	if k.whole && k.failed == nil {
		_ = os.Rename(k.file.Name(), k.name)
	} else {
		_ = os.Remove(k.file.Name()) // or else by whoever cleans up
	}
	return k.content.Close()
}
