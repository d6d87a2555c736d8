package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
)

// Base is what is kept of a base image: all but its layers.
type Base struct {
	Manifest []byte `json:"manifest"`
	Config   []byte `json:"config"`
}

// baseKey names the file of the image that a digest, which may be an index's,
// stands for on a platform.
func baseKey(digest, platform string) string {
	sum := sha256.Sum256([]byte(digest + "\n" + platform))
	return hex.EncodeToString(sum[:])
}

// KeepsBases reports whether the cache can hold base images: a folder can.
func (c *Cache) KeepsBases() bool { return c != nil && c.folder != nil }

// Base looks for a base image. The digest is that of its manifest or index.
func (c *Cache) Base(digest, platform string) (Base, bool) {
	name := c.folder.path(basesName, baseKey(digest, platform))
	data, err := os.ReadFile(name)
	var base Base
	if err != nil || json.Unmarshal(data, &base) != nil {
		return Base{}, false
	}
	touch(name)
	return base, true
}

// PutBase keeps a base image. That it cannot be written harms nothing.
func (c *Cache) PutBase(digest, platform string, base Base) {
	data, err := json.Marshal(base)
	if err == nil {
		_ = c.folder.replace(c.folder.path(basesName, baseKey(digest, platform)), data)
	}
}
