package funcs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/zclconf/go-cty/cty"
)

// maxRendered is how many bytes of rendered files a place keeps on disk.
const maxRendered = 1 << 30

// errNoTempDir is the answer where nothing may be rendered.
var errNoTempDir = errors.New("files cannot be rendered here: there is no temporary folder")

// rendered is what a place wrote to its temporary folder.
type rendered struct {
	mutex sync.Mutex
	marks map[string]cty.ValueMarks // of the content, by path; only where there are any
	files map[[sha256.Size]byte]string
	bytes int
}

// output is one file to write.
type output struct {
	name    string // within its folder
	content string
	marks   cty.ValueMarks
	mode    os.FileMode
}

// write makes a folder with files in it and returns its path. What it wrote
// before it does not write again. The path says nothing of the content, so it
// is not sensitive even where the content is; reading the files later is.
func (p *Place) write(folders []string, outputs []output) (string, error) {
	if p.TempDir == "" {
		return "", errNoTempDir
	}
	key := fingerprint(folders, outputs)
	p.rendered.mutex.Lock()
	defer p.rendered.mutex.Unlock()
	if folder, found := p.rendered.files[key]; found {
		return folder, nil
	}
	for _, out := range outputs {
		p.rendered.bytes += len(out.content)
	}
	if p.rendered.bytes > maxRendered {
		return "", fmt.Errorf("the rendered files of this run have more than %d MB", maxRendered>>20)
	}
	folder, err := os.MkdirTemp(p.TempDir, "rendered-")
	if err != nil {
		return "", fmt.Errorf("rendering: %w", err)
	}
	for _, below := range folders {
		if err := os.MkdirAll(filepath.Join(folder, below), 0o700); err != nil {
			return "", fmt.Errorf("rendering: %w", err)
		}
	}
	for _, out := range outputs {
		path := filepath.Join(folder, out.name)
		if err := os.WriteFile(path, []byte(out.content), out.mode); err != nil {
			return "", fmt.Errorf("rendering: %w", err)
		}
		p.rendered.remember(path, out.marks)
	}
	if p.rendered.files == nil {
		p.rendered.files = map[[sha256.Size]byte]string{}
	}
	p.rendered.files[key] = folder
	return folder, nil
}

// remember keeps the marks of a file. The caller holds the mutex.
func (r *rendered) remember(path string, marks cty.ValueMarks) {
	if len(marks) == 0 {
		return
	}
	if r.marks == nil {
		r.marks = map[string]cty.ValueMarks{}
	}
	r.marks[path] = marks
}

// marksOf returns the marks of what is in the file at path.
func (p *Place) marksOf(path string) cty.ValueMarks {
	p.rendered.mutex.Lock()
	defer p.rendered.mutex.Unlock()
	return p.rendered.marks[filepath.Clean(p.expand(path))]
}

// marked returns what was read of the file at path with the marks that went
// into the file.
func (p *Place) marked(path string, v cty.Value) cty.Value { return v.WithMarks(p.marksOf(path)) }

// fingerprint tells one set of files from every other. Files with marks are
// never the same as files without.
func fingerprint(folders []string, outputs []output) [sha256.Size]byte {
	sum := sha256.New()
	for _, folder := range folders {
		fmt.Fprintf(sum, "folder %q\n", folder)
	}
	for _, out := range outputs {
		fmt.Fprintf(sum, "file %q %v %v %d\n%s\n", out.name, out.mode, len(out.marks) > 0, len(out.content), out.content)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
