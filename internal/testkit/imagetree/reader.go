package imagetree

import (
	"fmt"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Reader reads images, and remembers what of their layers they share with
// earlier ones. Its zero value is ready; it may be used concurrently.
type Reader struct {
	mu   sync.Mutex
	read map[string]*Tree // by the digests of all layers
}

// Read applies an image's layers.
func (r *Reader) Read(image v1.Image) (*Tree, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading layers: %w", err)
	}
	tree := &Tree{map[string]*file{}}
	var chain strings.Builder
	for i, layer := range layers {
		id, err := layer.DiffID()
		if err != nil {
			return nil, fmt.Errorf("reading layer %d: %w", i+1, err)
		}
		chain.WriteString(id.String())
		if tree, err = r.apply(tree, chain.String(), layer); err != nil {
			return nil, fmt.Errorf("reading layer %d: %w", i+1, err)
		}
	}
	return tree, nil
}

// apply returns the tree of a chain of layers, whose last is layer.
func (r *Reader) apply(lower *Tree, chain string, layer v1.Layer) (*Tree, error) {
	r.mu.Lock()
	known := r.read[chain]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	content, err := layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	tree, err := readLayer(lower, content)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == nil {
		r.read = map[string]*Tree{}
	}
	r.read[chain] = tree
	return tree, nil
}
