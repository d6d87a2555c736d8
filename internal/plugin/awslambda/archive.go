package awslambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Lambda's limits for archives that are part of a request.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	archiveLimit  = 50 << 20
	unpackedLimit = 250 << 20
)

// epoch is the time of all files in an archive: the first that ZIP knows.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// pack makes an archive of a folder, and its SHA-256 as Lambda says it. Equal
// files give an equal archive, whenever and by whomever they were made.
func pack(folder string) (archive []byte, sum string, err error) {
	var packed bytes.Buffer
	writer := zip.NewWriter(&packed)
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, "", fmt.Errorf("packing the files for Lambda: %w", err)
	}
	defer root.Close()
	var unpacked int64
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if unpacked += info.Size(); unpacked > unpackedLimit || packed.Len() > archiveLimit {
			return tooLarge(unpacked, packed.Len())
		}
		return add(writer, root, name, info)
	})
	if err != nil {
		return nil, "", fmt.Errorf("packing the files for Lambda: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, "", fmt.Errorf("packing the files for Lambda: %w", err)
	}
	if packed.Len() > archiveLimit {
		return nil, "", tooLarge(unpacked, packed.Len())
	}
	digest := sha256.Sum256(packed.Bytes())
	return packed.Bytes(), base64.StdEncoding.EncodeToString(digest[:]), nil
}

func tooLarge(unpacked int64, packed int) error {
	return &diag.Problem{
		Summary: "The files are too large for Lambda",
		Detail: fmt.Sprintf("So far they have %d MB, and %d MB as an archive. Lambda takes %d MB, and %d MB as an archive. "+
			"Leave out what the function does not need, or build a container image, which may have 10 GB.",
			unpacked>>20, packed>>20, unpackedLimit>>20, archiveLimit>>20),
	}
}

// add puts one file, link or folder into an archive.
func add(writer *zip.Writer, root *os.Root, name string, info fs.FileInfo) error {
	header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: epoch}
	switch {
	case info.IsDir():
		header.Name += "/"
		header.Method = zip.Store
		header.SetMode(fs.ModeDir | 0o755)
		_, err := writer.CreateHeader(header)
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return addLink(writer, root, name, header)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q is neither a file nor a folder nor a link", name)
	}
	// Whoever runs the function is not who owns the files: all may read them.
	header.SetMode(0o644 | info.Mode()&0o111)
	if info.Mode()&0o100 != 0 {
		header.SetMode(0o755)
	}
	part, err := writer.CreateHeader(header)
	if err != nil {
		return err
	}
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(part, file)
	return err
}

func addLink(writer *zip.Writer, root *os.Root, name string, header *zip.FileHeader) error {
	target, err := root.Readlink(name)
	if err != nil {
		return err
	}
	header.SetMode(fs.ModeSymlink | 0o777)
	part, err := writer.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, target)
	return err
}
