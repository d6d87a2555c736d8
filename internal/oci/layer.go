package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// Layer is a layer of an image in a [Layout].
type Layer struct {
	DiffID     v1.Hash       // of the content before compression
	Descriptor v1.Descriptor // of the compressed blob
}

// compression is the fastest level: it costs a few percent of bytes and saves
// most of the time of a cold build.
const compression = gzip.BestSpeed

// AddLayer makes a layer of what write puts into a tar archive. The archive is
// hashed, compressed, hashed again and stored in one pass, without being held
// in memory.
//
// Where the layout has earlier layers, write is first called to hash its
// content alone; if a layer has that content already, that one is returned and
// nothing is compressed. So write may be called twice and must write the same
// both times. AddLayer may run concurrently.
func (l *Layout) AddLayer(ctx context.Context, write func(context.Context, *tar.Writer) error) (Layer, error) {
	if len(l.made) > 0 {
		content := sha256.New()
		if err := writeTar(ctx, content, write); err != nil {
			return Layer{}, err
		}
		if desc, ok := l.made[sum(content)]; ok && l.has(desc) {
			return Layer{DiffID: sum(content), Descriptor: desc}, nil
		}
	}
	file, err := os.CreateTemp(l.blobDir(), ".layer-*")
	if err != nil {
		return Layer{}, fmt.Errorf("writing image layer: %w", err)
	}
	defer os.Remove(file.Name()) // renamed if all went well
	layer, err := compressTar(ctx, file, write)
	if err != nil {
		file.Close()
		return Layer{}, err
	}
	if err := publish(file, l.blobPath(layer.Descriptor.Digest)); err != nil {
		return Layer{}, fmt.Errorf("writing image layer: %w", err)
	}
	return layer, nil
}

// compressTar is the one pass: archive → hash and compressor → hash and file.
func compressTar(ctx context.Context, file io.Writer, write func(context.Context, *tar.Writer) error) (Layer, error) {
	content, compressed := sha256.New(), sha256.New()
	counter := &countingWriter{to: io.MultiWriter(file, compressed)}
	buffer := bufio.NewWriterSize(counter, 256<<10)
	zip, err := gzip.NewWriterLevel(buffer, compression)
	if err != nil {
		return Layer{}, fmt.Errorf("compressing image layer: %w", err)
	}
	if err := writeTar(ctx, io.MultiWriter(content, zip), write); err != nil {
		return Layer{}, err
	}
	if err := zip.Close(); err != nil {
		return Layer{}, fmt.Errorf("compressing image layer: %w", err)
	}
	if err := buffer.Flush(); err != nil {
		return Layer{}, fmt.Errorf("writing image layer: %w", err)
	}
	return Layer{
		DiffID:     sum(content),
		Descriptor: v1.Descriptor{MediaType: types.OCILayer, Digest: sum(compressed), Size: counter.written},
	}, nil
}

func writeTar(ctx context.Context, to io.Writer, write func(context.Context, *tar.Writer) error) error {
	buffer := bufio.NewWriterSize(to, 256<<10)
	archive := tar.NewWriter(buffer)
	if err := write(ctx, archive); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("writing image layer: %w", err)
	}
	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("writing image layer: %w", err)
	}
	return nil
}

// countingWriter counts what passes through it.
type countingWriter struct {
	to      io.Writer
	written int64
}

// Write implements [io.Writer].
func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.written += int64(n)
	return n, err
}

// sum returns a finished hash as a digest.
func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// hashOf returns the digest of data.
func hashOf(data []byte) v1.Hash {
	h := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h[:])}
}
