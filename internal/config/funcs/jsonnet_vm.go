package funcs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/google/go-jsonnet"
	"github.com/zclconf/go-cty/cty"
)

const (
	maxStack   = 500              // calls of Jsonnet within each other
	maxRunning = 10 * time.Second // of one program
	maxHeap    = 512 << 20        // bytes that the memory may grow by meanwhile
	lookEvery  = 10 * time.Millisecond
)

// jsonnetState is what a place knows of programs that did not end.
type jsonnetState struct {
	mutex sync.Mutex // held while a program runs: the limit of memory is for one
	stuck error      // why one did not end
}

// errHidden stands for an error that might quote a sensitive value.
var errHidden = errors.New("the program fails, and the reason is not shown, for a sensitive value was given to it")

// evaluateJsonnet runs the program at path. The output has everything but a
// name.
//
// A program cannot be interrupted from outside. One that takes too long or too
// much memory is left running, and no other is begun: the run fails with the
// error at once, and the process ends before the program does harm.
func (p *Place) evaluateJsonnet(path string, options jsonnetOptions) (output, error) {
	for _, code := range []map[string]string{options.extCode, options.tlaCode} {
		for name, each := range code {
			if err := checkJsonnet([]byte(each)); err != nil {
				return output{}, fmt.Errorf("the code of %q: %w", name, err)
			}
		}
	}
	files := &importer{place: p, known: map[string]jsonnet.Contents{}, marks: cty.ValueMarks{}}
	vm := newVM(files, options)
	p.jsonnet.mutex.Lock()
	defer p.jsonnet.mutex.Unlock()
	if p.jsonnet.stuck != nil {
		return output{}, p.jsonnet.stuck
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := vm.EvaluateFile(p.expand(path))
		done <- result{text, err}
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	start, heap := time.Now(), heapSize()
	for {
		select {
		case r := <-done:
			return newJSON(path, r.text, r.err, options.marks, files.marks)
		case <-ticker.C:
			switch {
			case time.Since(start) > maxRunning:
				p.jsonnet.stuck = fmt.Errorf("the Jsonnet program %q does not end: it was given up after %v", path, maxRunning)
			case heapSize() > heap+maxHeap:
				p.jsonnet.stuck = fmt.Errorf("the Jsonnet program %q takes more than %d MB of memory", path, maxHeap>>20)
			default:
				continue
			}
			return output{}, p.jsonnet.stuck
		}
	}
}

// newVM returns what runs one program.
func newVM(files *importer, options jsonnetOptions) *jsonnet.VM {
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxStack
	vm.SetTraceOut(io.Discard)
	vm.Importer(files)
	for name, text := range options.extVars {
		vm.ExtVar(name, text)
	}
	for name, code := range options.extCode {
		vm.ExtCode(name, code)
	}
	for name, text := range options.tlaVars {
		vm.TLAVar(name, text)
	}
	for name, code := range options.tlaCode {
		vm.TLACode(name, code)
	}
	return vm
}

// newJSON returns what a program gave.
func newJSON(path, text string, err error, marks ...cty.ValueMarks) (output, error) {
	out := output{content: text, marks: cty.ValueMarks{}, mode: 0o600}
	for _, each := range marks {
		maps.Copy(out.marks, each)
	}
	switch {
	case err != nil && len(out.marks) > 0:
		return output{}, fmt.Errorf("the file %q: %w", path, errHidden)
	case err != nil:
		return output{}, fmt.Errorf("the file %q: %s", path, strings.TrimSpace(err.Error()))
	case len(text) > maxFile:
		return output{}, fmt.Errorf("the file %q becomes more than %d MB of JSON", path, maxFile>>20)
	}
	return out, nil
}

// heapSize is how many bytes the process holds.
func heapSize() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// importer gives Jsonnet the files of the repository, and no others.
type importer struct {
	place *Place
	known map[string]jsonnet.Contents
	marks cty.ValueMarks // of everything that was read
}

// Import implements [jsonnet.Importer]. A relative path begins at the file that
// names it.
func (i *importer) Import(from, path string) (jsonnet.Contents, string, error) {
	full := path
	if !filepath.IsAbs(path) && from != "" {
		full = filepath.Join(filepath.Dir(from), path)
	}
	if contents, found := i.known[full]; found {
		return contents, full, nil
	}
	content, err := i.place.read(full, maxFile)
	if err != nil {
		return jsonnet.Contents{}, "", err
	}
	if err := checkJsonnet(content); err != nil {
		return jsonnet.Contents{}, "", fmt.Errorf("the file %q: %w", full, err)
	}
	maps.Copy(i.marks, i.place.marksOf(full))
	contents := jsonnet.MakeContentsRaw(content)
	i.known[full] = contents
	return contents, full, nil
}
