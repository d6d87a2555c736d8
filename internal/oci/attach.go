package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Attachment is a document about an image. A registry keeps it beside the
// image, which it does not change, as a manifest whose subject is the image's.
type Attachment struct {
	Type      string `json:"type"`                // media type of the content
	Predicate string `json:"predicate,omitempty"` // what an in-toto statement says, as a URI; "" for anything else
	Content   []byte `json:"content"`
}

// predicateAnnotation tells statements about one image apart without reading
// them.
const predicateAnnotation = "in-toto.io/predicate-type"

// restingAttachments is how many images may have attachments in a layout. Those
// that were attached to longest ago lose theirs.
const restingAttachments = 64

// Attach says what is known about an image of the layout, in place of what was
// said before: [Client.Push] sends it together with the image. The digest may
// also be that of an image in an index.
func (l *Layout) Attach(digest string, attachments ...Attachment) error {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return fmt.Errorf("attaching to image: %w", err)
	}
	if len(attachments) == 0 {
		err := os.Remove(l.attachedPath(hash))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("attaching to image: %w", err)
		}
		return nil
	}
	data, err := json.Marshal(attachments)
	if err != nil {
		return fmt.Errorf("attaching to image: %w", err)
	}
	if err := writeNew(l.attachedPath(hash), data); err != nil {
		return fmt.Errorf("attaching to image: %w", err)
	}
	return l.cleanAttached()
}

// attached returns what is attached to an image.
func (l *Layout) attached(digest v1.Hash) ([]Attachment, error) {
	data, err := os.ReadFile(l.attachedPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var attachments []Attachment
	if err == nil {
		err = json.Unmarshal(data, &attachments)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is attached to image %s: %w", digest, err)
	}
	return attachments, nil
}

func (l *Layout) attachedDir() string { return filepath.Join(l.dir, "attached") }

func (l *Layout) attachedPath(digest v1.Hash) string {
	return filepath.Join(l.attachedDir(), digest.Hex+".json")
}

// cleanAttached removes the oldest attachments beyond those that may rest.
func (l *Layout) cleanAttached() error {
	entries, err := os.ReadDir(l.attachedDir())
	if err != nil {
		return fmt.Errorf("cleaning image layout: %w", err)
	}
	age := func(entry fs.DirEntry) time.Time {
		info, err := entry.Info()
		if err != nil {
			return time.Time{} // another process has removed it
		}
		return info.ModTime()
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return age(a).Compare(age(b)) })
	for _, entry := range entries[:max(0, len(entries)-restingAttachments)] {
		if err := os.Remove(filepath.Join(l.attachedDir(), entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cleaning image layout: %w", err)
		}
	}
	return nil
}

// emptyConfig stands where an image has its configuration.
var emptyConfig = []byte("{}")

// manifest returns the manifest that lets an attachment refer to its subject.
func (a Attachment) manifest(subject v1.Descriptor) ([]byte, error) {
	m := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  a.Type,
		Config:        v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Digest: hashOf(emptyConfig), Size: int64(len(emptyConfig))},
		Layers:        []v1.Descriptor{{MediaType: types.MediaType(a.Type), Digest: hashOf(a.Content), Size: int64(len(a.Content))}},
		Subject:       &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}
	if a.Predicate != "" {
		m.Annotations = map[string]string{predicateAnnotation: a.Predicate}
	}
	return json.Marshal(m)
}

// is reports whether a referrer says of its subject what the attachment does,
// though perhaps in other words.
func (a Attachment) is(referrer v1.Descriptor) bool {
	return referrer.ArtifactType == a.Type && referrer.Annotations[predicateAnnotation] == a.Predicate
}
