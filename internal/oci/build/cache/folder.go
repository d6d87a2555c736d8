package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// folder is the store on this machine. Files appear whole, by renaming, so that
// neither a killed build nor a second one leaves half of one. A build holds the
// lock together with others; only who has it alone removes anything.
type folder struct {
	dir     string
	lock    *os.File
	maxSize int64
	lasting bool
}

// defaultSize is how large the folder may be.
const defaultSize = 10 << 30

// The folders in it: records by key, blobs by their digest, indexes and whole
// layers by the digest of their content, and base images without theirs.
const (
	recordsName = "records"
	blobsName   = "blobs"
	indexesName = "indexes"
	basesName   = "bases"
	layersName  = "layers"
)

// entry is a record in a file.
type entry struct {
	DiffID     v1.Hash       `json:"diffID"`
	Descriptor v1.Descriptor `json:"descriptor"`
}

func openFolder(dir string, maxSize int64, lasting bool) (*folder, error) {
	f := &folder{dir: dir, maxSize: maxSize, lasting: lasting}
	if f.maxSize == 0 {
		f.maxSize = defaultSize
	}
	for _, name := range []string{recordsName, blobsName, indexesName, basesName, layersName} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return nil, fmt.Errorf("opening the cache: %w", err)
		}
	}
	var err error
	if f.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	if err := unix.Flock(int(f.lock.Fd()), unix.LOCK_SH); err != nil {
		f.lock.Close()
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	return f, nil
}

// close gives up the lock, and cleans up if nobody else has it.
func (f *folder) close() error {
	if f == nil {
		return nil
	}
	defer f.lock.Close() // which also unlocks
	err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil // the other build will
	}
	if err != nil {
		return fmt.Errorf("locking the cache: %w", err)
	}
	if err := f.shrink(); err != nil {
		return fmt.Errorf("cleaning the cache: %w", err)
	}
	return nil
}

func (f *folder) path(kind, name string) string { return filepath.Join(f.dir, kind, name) }

// find implements [store]. What it finds counts as used.
func (f *folder) find(_ context.Context, key string) (Record, bool) {
	name := f.path(recordsName, key)
	data, err := os.ReadFile(name)
	var e entry
	if err != nil || json.Unmarshal(data, &e) != nil {
		return Record{}, false
	}
	blob := f.path(blobsName, e.Descriptor.Digest.Hex)
	info, err := os.Stat(blob)
	if err != nil || info.Size() != e.Descriptor.Size {
		return Record{}, false
	}
	touch(name)
	touch(blob)
	return Record{Layer: oci.Layer{DiffID: e.DiffID, Descriptor: e.Descriptor}, File: blob}, true
}

// put implements [store].
func (f *folder) put(_ context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	if err := from.Lend(layer.Descriptor, f.path(blobsName, layer.Descriptor.Digest.Hex)); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	data, err := json.Marshal(entry{layer.DiffID, layer.Descriptor})
	if err == nil {
		err = f.replace(f.path(recordsName, key), data)
	}
	if err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	return nil
}

// forget removes a record.
func (f *folder) forget(key string) {
	_ = os.Remove(f.path(recordsName, key)) // it is not asked for again in this build
}

// replace writes a file as a whole.
func (f *folder) replace(name string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(name), newPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already if all went well
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}

// newPrefix begins the names of files that are still written.
const newPrefix = ".new-"

// touch marks a file as used. One that is gone is missed by whoever opens it.
func touch(name string) {
	now := time.Now()
	_ = os.Chtimes(name, now, now)
}

// exists reports whether a file is there.
func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
