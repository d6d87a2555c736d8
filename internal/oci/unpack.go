package oci

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/deploy-action/deploy-action/internal/oci/untar"
)

// Unpack writes the files of img below dir, which it makes if it is missing.
// Layers are applied lowest first, each compared with its digest; files are
// streamed. Nothing in the image can make it write outside dir. Owners and
// device nodes are left out where this process may not make them. After an
// error dir holds a part of the image.
func Unpack(ctx context.Context, img v1.Image, dir string) error {
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("unpacking image: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("unpacking image: %w", err)
	}
	if len(config.RootFS.DiffIDs) != len(layers) {
		return fmt.Errorf("unpacking image: it has %d layers, but its configuration names %d", len(layers), len(config.RootFS.DiffIDs))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpacking image: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpacking image: %w", err)
	}
	defer root.Close()
	for i, layer := range layers {
		if err := unpackLayer(ctx, root, layer, config.RootFS.DiffIDs[i]); err != nil {
			return fmt.Errorf("unpacking layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	return nil
}

// unpackLayer applies one layer. A second goroutine decompresses ahead of the
// writing.
func unpackLayer(ctx context.Context, root *os.Root, layer v1.Layer, diffID v1.Hash) error {
	reader, writer := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		writer.CloseWithError(decompressTo(ctx, writer, layer, diffID))
	}()
	err := untar.Apply(ctx, root, bufio.NewReaderSize(reader, 1<<20))
	reader.CloseWithError(errStopped)
	<-done // the layer's reader is closed by then
	return err
}

// errStopped ends the decompression of a layer that is not read to its end.
var errStopped = errors.New("unpacking stopped")

// decompressTo writes the content of layer to w and compares its digest.
func decompressTo(ctx context.Context, w io.Writer, layer v1.Layer, diffID v1.Hash) error {
	compressed, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer compressed.Close()
	plain, err := decompress(compressed)
	if err != nil {
		return err
	}
	defer plain.Close()
	content := sha256.New()
	chunk := make([]byte, 256<<10)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := plain.Read(chunk)
		content.Write(chunk[:n])
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if got := sum(content); got != diffID {
		return fmt.Errorf("its content has digest %s where %s was promised", got, diffID)
	}
	return nil
}

// decompress reads gzip, zstd or plain data, told apart by their first bytes,
// since media types are not always right. What grows without measure ends in an
// error.
func decompress(r io.Reader) (io.ReadCloser, error) {
	counter := &countingReader{from: r}
	buffered := bufio.NewReaderSize(counter, 256<<10)
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		plain, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		return &boundedReader{ReadCloser: plain, compressed: counter}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		plain, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1)) // we have read ahead of the writing already
		if err != nil {
			return nil, err
		}
		return &boundedReader{ReadCloser: plain.IOReadCloser(), compressed: counter}, nil
	}
	return io.NopCloser(buffered), nil
}

// boundedReader stops a decompression bomb.
type boundedReader struct {
	io.ReadCloser
	compressed *countingReader
	plain      int64
}

// Read implements [io.Reader].
func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.plain += int64(n)
	if growth := untar.CheckGrowth(r.compressed.read.Load(), r.plain); growth != nil {
		return n, growth
	}
	return n, err
}

// countingReader counts what was read through it. A decompressor may read ahead
// in a goroutine of its own.
type countingReader struct {
	from io.Reader
	read atomic.Int64
}

// Read implements [io.Reader].
func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.read.Add(int64(n))
	return n, err
}
