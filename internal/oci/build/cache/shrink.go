package cache

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// used is a file of the folder.
type used struct {
	name string
	size int64
	last time.Time
}

// shrink removes what was left half written, then what was used longest ago
// until the rest fits, and then the records whose blob is gone.
func (f *folder) shrink() error {
	var (
		files []used
		total int64
	)
	for _, kind := range []string{blobsName, indexesName, basesName, layersName} {
		found, err := f.list(kind)
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		total += file.size
	}
	slices.SortFunc(files, func(a, b used) int { return cmp.Or(a.last.Compare(b.last), cmp.Compare(a.name, b.name)) })
	for _, file := range files {
		if total <= f.maxSize {
			break
		}
		if err := remove(file.name); err != nil {
			return err
		}
		total -= file.size
	}
	return f.dropRecords()
}

// list returns the files of a kind, and removes those that are half written:
// nobody writes while the lock is held alone.
func (f *folder) list(kind string) ([]used, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, kind))
	if err != nil {
		return nil, err
	}
	var files []used
	for _, e := range entries {
		name := f.path(kind, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			if err := remove(name); err != nil {
				return nil, err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, used{name, info.Size(), info.ModTime()})
	}
	return files, nil
}

// dropRecords removes the records that lead to no blob.
func (f *folder) dropRecords() error {
	records, err := f.list(recordsName)
	if err != nil {
		return err
	}
	for _, record := range records {
		data, err := os.ReadFile(record.name)
		if err != nil {
			return err
		}
		var e entry
		if json.Unmarshal(data, &e) == nil && exists(f.path(blobsName, e.Descriptor.Digest.Hex)) {
			continue
		}
		if err := remove(record.name); err != nil {
			return err
		}
	}
	return nil
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
