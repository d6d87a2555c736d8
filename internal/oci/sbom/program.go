package sbom

import (
	"archive/tar"
	"bufio"
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// largestProgram is what is looked at of programs.
const largestProgram = 1 << 30

// program returns the modules that a program says it is built of. A file that is
// no program, or of another language, has none.
func (s *scanner) program(header *tar.Header, content io.Reader) ([]found, error) {
	const magic = "\x7fELF"
	if header.Size < 64 {
		return nil, nil
	}
	buffered := bufio.NewReaderSize(content, 256<<10)
	if first, err := buffered.Peek(len(magic)); err != nil || string(first) != magic {
		return nil, nil // an error of the archive is told by its next entry
	}
	if header.Size > largestProgram {
		return nil, fmt.Errorf("the program is larger than %d GiB and is not looked at", largestProgram>>30)
	}
	if err := s.spool.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := s.spool.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := io.Copy(s.spool, buffered); err != nil {
		return nil, err
	}
	info, err := readBuildInfo(s.spool)
	if err != nil || info == nil {
		return nil, err
	}
	return s.modules(info)
}

// readBuildInfo reads what the go command left in a program; nil where it left
// nothing.
func readBuildInfo(r io.ReaderAt) (info *debug.BuildInfo, err error) {
	// The library does not promise to withstand files that are made to break it.
	defer func() {
		if recover() != nil {
			info, err = nil, errors.New("the program is damaged and is not looked at")
		}
	}()
	info, failed := buildinfo.Read(r)
	if failed != nil {
		return nil, nil // not made by Go, or nothing that a system would start
	}
	return info, nil
}

// modules lists the modules of a program, and the library that comes with Go.
func (s *scanner) modules(info *debug.BuildInfo) ([]found, error) {
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	all := []debug.Module{{Path: "stdlib", Version: version}}
	if info.Main.Path != "" {
		all = append(all, info.Main)
	}
	for _, module := range info.Deps {
		if module == nil {
			continue
		}
		if module.Replace != nil {
			module = module.Replace
		}
		all = append(all, *module)
	}
	var modules []found
	for _, module := range all {
		if module.Path == "" || strings.HasPrefix(module.Path, ".") || strings.HasPrefix(module.Path, "/") {
			continue // a folder of the machine that built it
		}
		if err := s.room(); err != nil {
			return modules, err
		}
		if module.Version == "(devel)" {
			module.Version = ""
		}
		modules = append(modules, found{kind: "golang", name: valid(module.Path), version: valid(module.Version)})
	}
	return modules, nil
}

// valid makes text of a program fit for a document.
func valid(text string) string {
	cleaned := bytes.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, []byte(text))
	return strings.ToValidUTF8(string(cleaned[:min(len(cleaned), longestValue)]), "\uFFFD")
}
