package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci/compress"
)

// Layer is a layer of an image in a [Layout].
type Layer struct {
	DiffID     v1.Hash       // of the content before compression
	Descriptor v1.Descriptor // of the compressed blob

	// From is a repository that has the blob. Where it is set, the layout need
	// not hold the blob: a push mounts it or forwards it from there, and whoever
	// reads it needs [Layout.KeepLayer] before. It is nil for a layer that is
	// only in the layout.
	From *artifact.Repository
}

// askFrom is the size from which on it is worth asking whether somebody has made
// a layer already: compressing less takes as long as the question.
const askFrom = 32 << 20

// errKnown ends the compression of a layer that may be known.
var errKnown = errors.New("the layer may be known")

// AddLayer makes a layer of what write puts into a tar archive. The archive is
// hashed, compressed, hashed again and stored in one pass, without being held
// in memory.
//
// Where layers are known, from earlier images of the layout or by [Layout.Ask],
// the content is hashed alone before; if a layer has that content already, that
// one is returned and nothing is compressed. So write may be called more than
// once and must write the same each time. AddLayer may run concurrently.
func (l *Layout) AddLayer(ctx context.Context, write func(context.Context, *tar.Writer) error) (Layer, error) {
	fill := func(ctx context.Context, to io.Writer) error { return writeTar(ctx, to, write) }
	for mayAsk := l.mayAsk(); ; mayAsk = false {
		layer, known, err := l.find(ctx, fill)
		if known || err != nil {
			return layer, err
		}
		layer, err = l.compressLayer(ctx, fill, mayAsk)
		if !errors.Is(err, errKnown) {
			return layer, err
		}
	}
}

// filling writes the archive that a layer is before compression.
type filling func(context.Context, io.Writer) error

// find returns the known layer that has the content which fill writes.
func (l *Layout) find(ctx context.Context, fill filling) (layer Layer, known bool, err error) {
	if !l.knowsAny() {
		return Layer{}, false, nil
	}
	content := sha256.New()
	if err := fill(ctx, content); err != nil {
		return Layer{}, false, err
	}
	layer, known = l.known(sum(content))
	return layer, known, nil
}

// compressLayer stores a layer. It ends with errKnown where that might be in
// vain.
func (l *Layout) compressLayer(ctx context.Context, fill filling, mayAsk bool) (Layer, error) {
	file, err := os.CreateTemp(l.blobDir(), ".layer-*")
	if err != nil {
		return Layer{}, fmt.Errorf("writing image layer: %w", err)
	}
	defer os.Remove(file.Name()) // renamed if all went well
	layer, err := l.compressTar(ctx, file, fill, mayAsk)
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
func (l *Layout) compressTar(ctx context.Context, file io.Writer, fill filling, mayAsk bool) (Layer, error) {
	content, compressed := sha256.New(), sha256.New()
	counter := &countingWriter{to: io.MultiWriter(file, compressed)}
	packer, err := l.pool.NewWriter(ctx, counter, l.compression)
	if err != nil {
		return Layer{}, err
	}
	defer packer.Release()
	plain := io.MultiWriter(content, packer)
	if mayAsk {
		plain = io.MultiWriter(&askingWriter{ctx: ctx, layout: l}, plain)
	}
	if err := fill(ctx, plain); err != nil {
		return Layer{}, err
	}
	if err := packer.Close(); err != nil {
		return Layer{}, fmt.Errorf("compressing image layer: %w", err)
	}
	return Layer{
		DiffID:     sum(content),
		Descriptor: v1.Descriptor{MediaType: l.mediaType(), Digest: sum(compressed), Size: counter.written},
	}, nil
}

// mediaType is that of new layers.
func (l *Layout) mediaType() types.MediaType {
	if l.compression.Format == compress.Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// askingWriter asks for known layers when a layer turns out to be large.
type askingWriter struct {
	ctx     context.Context
	layout  *Layout
	written int64
}

// Write implements [io.Writer].
func (w *askingWriter) Write(p []byte) (int, error) {
	before := w.written
	w.written += int64(len(p))
	if before < askFrom && w.written >= askFrom && w.layout.askOnce(w.ctx) {
		return 0, errKnown
	}
	return len(p), nil
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
