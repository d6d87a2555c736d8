package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/oci/compress"
)

// Layout is a folder in the OCI image layout that keeps the last few images of
// one app, so that the next build finds the layers that did not change. Several
// processes may write to one folder: files appear whole, by renaming, the index
// changes under a lock, and what another process might still need is not
// cleaned away.
//
// Layers of a base image, and of a cache, are often left in their registry. Then
// the image's entry in the index names the repository they are in.
type Layout struct {
	dir         string
	pool        *compress.Pool
	compression compress.Settings

	mu   sync.Mutex
	made map[v1.Hash]Layer // by the digest of their content before compression

	asking sync.Mutex
	ask    func(context.Context) []Layer // nil once it was called
	news   bool                          // whether it named any
}

const (
	keptImages = 5         // in the index, newest last
	restTime   = time.Hour // a blob that was used within it is never removed
)

// OpenLayout opens the layout in dir, which it makes if there is none.
func OpenLayout(dir string) (*Layout, error) {
	l := &Layout{dir: dir, pool: compress.NewPool(), made: map[v1.Hash]Layer{}}
	if err := os.MkdirAll(l.blobDir(), 0o755); err != nil {
		return nil, fmt.Errorf("opening image layout: %w", err)
	}
	if err := l.writeFile("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return nil, err
	}
	index, err := l.index()
	if err != nil {
		return nil, err
	}
	for _, desc := range index.Manifests {
		l.rememberImage(desc)
	}
	return l, nil
}

// Through returns the layout by another path to its folder. The one it is of
// must not be added to meanwhile.
func (l *Layout) Through(path string) *Layout {
	return &Layout{dir: path, pool: l.pool, compression: l.compression, made: l.made, ask: l.ask}
}

// Compress says how new layers are compressed: in which of [Compressions], at
// which level. Their zero values are gzip at its fastest. It is called before the
// first layer is added.
func (l *Layout) Compress(format string, level int) {
	l.compression = compress.Settings{Format: compress.Format(format), Level: level}
}

// Compression returns what Compress was called with.
func (l *Layout) Compression() (format string, level int) {
	return string(l.compression.Format), l.compression.Level
}

// Compressions lists the formats that layers can be compressed in.
func Compressions() []string { return []string{string(compress.Gzip), string(compress.Zstd)} }

// HighestLevel returns the highest level of a format; the lowest is 1.
func HighestLevel(format string) int { return compress.Format(format).Highest() }

// Dir returns the layout's folder.
func (l *Layout) Dir() string { return l.dir }

func (l *Layout) blobDir() string { return filepath.Join(l.dir, "blobs", "sha256") }

func (l *Layout) blobPath(digest v1.Hash) string { return filepath.Join(l.blobDir(), digest.Hex) }

// has reports whether the layout holds a blob, and marks it as in use.
func (l *Layout) has(desc v1.Descriptor) bool {
	info, err := os.Stat(l.blobPath(desc.Digest))
	if err != nil || info.Size() != desc.Size {
		return false
	}
	now := time.Now()
	// A blob that vanished meanwhile is missed by whoever opens it.
	_ = os.Chtimes(l.blobPath(desc.Digest), now, now)
	return true
}

// rememberImage notes the layers of an image that are here. An image that cannot be
// read is no loss: its layers are made again.
func (l *Layout) rememberImage(desc v1.Descriptor) {
	var (
		manifest v1.Manifest
		config   v1.ConfigFile
	)
	if l.readJSON(desc.Digest, &manifest) != nil || l.readJSON(manifest.Config.Digest, &config) != nil ||
		len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return
	}
	for i, layer := range manifest.Layers {
		if l.has(layer) {
			l.remember(Layer{DiffID: config.RootFS.DiffIDs[i], Descriptor: layer})
		}
	}
}

func (l *Layout) readJSON(digest v1.Hash, into any) error {
	data, err := os.ReadFile(l.blobPath(digest))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// index reads index.json. A layout without one is empty.
func (l *Layout) index() (v1.IndexManifest, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	data, err := os.ReadFile(filepath.Join(l.dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return index, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		return index, fmt.Errorf("reading image layout: %w", err)
	}
	return index, nil
}

// locked calls fn while no other process changes the index.
func (l *Layout) locked(fn func() error) error {
	file, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("locking image layout: %w", err)
	}
	defer file.Close() // which also unlocks
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking image layout: %w", err)
	}
	return fn()
}

// list puts images last in the index, and drops the oldest beyond those kept.
func (l *Layout) list(images ...v1.Descriptor) error {
	index, err := l.index()
	if err != nil {
		return err
	}
	for _, desc := range images {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Digest == desc.Digest })
		index.Manifests = append(index.Manifests, desc)
	}
	index.Manifests = index.Manifests[max(0, len(index.Manifests)-max(keptImages, len(images))):]
	data, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	return l.writeFile("index.json", data)
}

// writeBlob stores data under its digest.
func (l *Layout) writeBlob(data []byte) (v1.Hash, error) {
	digest := hashOf(data)
	return digest, l.writeFile(filepath.Join("blobs", "sha256", digest.Hex), data)
}

// writeFile replaces a file of the layout as a whole.
func (l *Layout) writeFile(name string, data []byte) error {
	if err := replaceFile(filepath.Join(l.dir, name), data); err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	return nil
}

// clean removes blobs that no listed image needs and nobody used for a while.
func (l *Layout) clean() error {
	index, err := l.index()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, desc := range index.Manifests {
		needed[desc.Digest.Hex] = true
		var manifest v1.Manifest
		if err := l.readJSON(desc.Digest, &manifest); err != nil {
			continue
		}
		needed[manifest.Config.Digest.Hex] = true
		for _, layer := range manifest.Layers {
			needed[layer.Digest.Hex] = true
		}
	}
	entries, err := os.ReadDir(l.blobDir())
	if err != nil {
		return fmt.Errorf("cleaning image layout: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if needed[entry.Name()] || err != nil || time.Since(info.ModTime()) < restTime {
			continue
		}
		if err := os.Remove(filepath.Join(l.blobDir(), entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cleaning image layout: %w", err)
		}
	}
	return nil
}

// replaceFile writes a file under another name and renames it, so that no
// reader sees half of it.
func replaceFile(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already if all went well
	if _, err := temp.Write(data); err != nil {
		temp.Close()
		return err
	}
	return publish(temp, path)
}

// publish closes a new file and moves it where others read it.
func publish(temp *os.File, path string) error {
	if err := temp.Chmod(0o644); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// openBlob opens a blob of the layout for reading.
func (l *Layout) openBlob(digest v1.Hash) (io.ReadCloser, error) {
	file, err := os.Open(l.blobPath(digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return file, nil
}
