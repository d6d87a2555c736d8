package imagetree

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// AddFile adds a file of this machine to an archive.
func AddFile(archive *tar.Writer, path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm())}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// AddGo adds to an archive, at usr/local/go, what of a Go installation is needed
// to compile.
func AddGo(archive *tar.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == "test" || name == "api" || name == "doc" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return AddFile(archive, path, filepath.Join("usr/local/go", name))
	})
}
