package oci

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// ParseReference reads an image's name as people write it:
// repository[:tag][@digest]. The repository stays as it was written. A name
// without tag and digest gets the tag "latest". Its errors are problems.
func ParseReference(text string) (artifact.Image, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return artifact.Image{}, nameProblem(text, err)
	}
	img := artifact.Image{Repository: text}
	if rest, digest, ok := strings.Cut(text, "@"); ok {
		img.Repository, img.Digest = rest, digest
	}
	// A colon before the last slash belongs to the host's port.
	if colon := strings.LastIndex(img.Repository, ":"); colon > strings.LastIndex(img.Repository, "/") {
		img.Repository, img.Tag = img.Repository[:colon], img.Repository[colon+1:]
	}
	if img.Tag != "" {
		if err := CheckTag(img.Tag); err != nil {
			return artifact.Image{}, err
		}
	} else if _, ok := ref.(name.Tag); ok {
		img.Tag = name.DefaultTag
	}
	return img, nil
}

// CheckRepository reports, as a problem, why text cannot name a repository.
func CheckRepository(text string) error {
	_, err := parseRepository(artifact.Repository{Name: text})
	return err
}

// CheckTag reports, as a problem, why text cannot be a tag.
func CheckTag(text string) error {
	if validTag(text) {
		return nil
	}
	return &diag.Problem{
		Summary: "Invalid image tag",
		Detail: fmt.Sprintf("%q cannot be a tag. A tag has 1 to 128 letters, digits, dashes, dots and underscores, "+
			"and begins with no dash and no dot.", text),
	}
}

func validTag(text string) bool {
	if text == "" || len(text) > 128 || text[0] == '.' || text[0] == '-' {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}) < 0
}

// Host returns the registry that a repository's name stands for, such as
// "ghcr.io", or "index.docker.io" for a name without one. It is "" for a name
// that is not valid.
func Host(repository string) string {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return ""
	}
	return repo.RegistryStr()
}

// ParsePlatform reads "linux/arm64/v8". The empty text is [DefaultPlatform]. Its
// error is a problem at the attribute platform.
func ParsePlatform(text string) (v1.Platform, error) {
	if text == "" {
		text = DefaultPlatform
	}
	platform, err := v1.ParsePlatform(text)
	if err != nil || platform.OS == "" || platform.Architecture == "" {
		return v1.Platform{}, &diag.Problem{
			Summary: "Invalid platform",
			Detail:  fmt.Sprintf("%q is not a platform. It is written as OS/ARCHITECTURE[/VARIANT], for example \"linux/arm64\".", text),
			Attr:    "platform",
		}
	}
	return *platform, nil
}

// nameProblem says that text names no image.
func nameProblem(text string, err error) error {
	return &diag.Problem{
		Summary: "Invalid image name",
		Detail: fmt.Sprintf("%q is not the name of an image. It is written as HOST/PATH in lower case, "+
			"for example \"ghcr.io/acme/web\".", text),
		Err: err,
	}
}
