package oci

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// OpenLayer opens a layer that the layout holds, for reading the archive that
// it is before compression. Where that is not what diffID promises, the last
// Read says so. The caller closes it.
func (l *Layout) OpenLayer(desc v1.Descriptor, diffID v1.Hash) (io.ReadCloser, error) {
	file, err := l.openBlob(desc.Digest)
	if err != nil {
		return nil, err
	}
	return ReadLayer(file, diffID)
}

// ReadLayer returns the archive that a layer is before compression. Where that
// is not what diffID promises, the last Read says so. The caller closes it, and
// that closes blob, as does an error.
func ReadLayer(blob io.ReadCloser, diffID v1.Hash) (io.ReadCloser, error) {
	plain, err := decompress(blob)
	if err != nil {
		blob.Close()
		return nil, fmt.Errorf("reading layer: %w", err)
	}
	return &plainLayer{plain: plain, blob: blob, content: sha256.New(), want: diffID}, nil
}

// plainLayer is a layer's archive. It compares the digest at the end.
type plainLayer struct {
	plain, blob io.ReadCloser
	content     hash.Hash
	want        v1.Hash
}

// Read implements [io.Reader].
func (p *plainLayer) Read(data []byte) (int, error) {
	n, err := p.plain.Read(data)
	p.content.Write(data[:n])
	if err == io.EOF && sum(p.content) != p.want {
		return n, fmt.Errorf("reading layer: its content has digest %s where %s was promised", sum(p.content), p.want)
	}
	return n, err
}

// Close implements [io.Closer].
func (p *plainLayer) Close() error {
	p.plain.Close()
	return p.blob.Close()
}
