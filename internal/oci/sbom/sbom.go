// Package sbom lists the packages in an image, as an SPDX document. It lists
// only what is certain: what the databases of dpkg and apk name as installed,
// and what Go programs say that they were built of. It guesses nothing from
// names or contents of other files, and the document says so.
//
// Images come from anywhere: what is damaged or without measure is left out,
// and told.
package sbom

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// MediaType is that of the document.
const MediaType = "application/spdx+json"

// Package is a package in an image.
type Package struct {
	Name, Version string
	PURL          string
	Where         []string // what names it, such as "var/lib/dpkg/status"
}

// List is what an image holds.
type List struct {
	Packages []Package // by PURL, each once
	Notes    []string  // what could not be read
}

// Limits of what is remembered of an image.
const (
	mostPackages = 200_000
	mostNotes    = 20
	mostPlaces   = 5
)

// Entries calls a function for every entry of an image's layers, lowest first,
// with the number of its layer.
type Entries func(ctx context.Context, visit func(layer int, header *tar.Header, content io.Reader) error) error

// Scan lists the packages of an image. Files that cannot be looked at while they
// are read are put into the folder temp, one at a time.
func Scan(ctx context.Context, entries Entries, temp string) (List, error) {
	spool, err := os.CreateTemp(temp, "sbom-")
	if err != nil {
		return List{}, fmt.Errorf("listing packages: %w", err)
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	s := &scanner{spool: spool, files: tree{files: map[string]*file{}, folders: map[string]int{}}, links: map[string]string{}}
	if err := entries(ctx, s.visit); err != nil {
		return List{}, fmt.Errorf("listing packages: %w", err)
	}
	return s.list(), nil
}

// scanner looks at the entries of an image.
type scanner struct {
	spool *os.File
	files tree
	links map[string]string // of the root folder, such as "bin" to "usr/bin"
	count int               // packages so far
	notes []string
}

// file is one that names packages.
type file struct {
	layer   int
	found   []found
	release release // of the distribution, in its own file
}

// found is a package before it is known which distribution it is of.
type found struct {
	kind                     string // "deb", "apk" or "golang"
	name, version, arch, src string
}

// visit looks at one entry.
func (s *scanner) visit(layer int, header *tar.Header, content io.Reader) error {
	name := s.resolve(header.Name)
	folder, base := path.Split(name)
	if base == ".wh..wh..opq" {
		s.files.removeBelow(path.Clean(folder), layer)
		return nil
	}
	if removed, ok := strings.CutPrefix(base, ".wh."); ok {
		s.files.remove(path.Join(folder, removed), layer)
		return nil
	}
	s.files.replace(name, header.Typeflag == tar.TypeDir, layer)
	delete(s.links, name)
	switch header.Typeflag {
	case tar.TypeSymlink:
		if !strings.Contains(name, "/") {
			s.links[name] = clean(header.Linkname)
		}
	case tar.TypeLink:
		if linked := s.files.files[s.resolve(header.Linkname)]; linked != nil {
			same := *linked
			same.layer = layer
			s.files.put(name, &same)
		}
	case tar.TypeReg:
		s.regular(layer, name, header, content)
	}
	return nil
}

// regular looks at a file. What it cannot read is a note; an error of the
// archive itself comes back with the next entry.
func (s *scanner) regular(layer int, name string, header *tar.Header, content io.Reader) {
	f := &file{layer: layer}
	var err error
	switch {
	case name == "etc/os-release" || name == "usr/lib/os-release":
		f.release, err = readRelease(content)
	case name == "var/lib/dpkg/status",
		path.Dir(name) == "var/lib/dpkg/status.d" && path.Ext(name) != ".md5sums":
		f.found, err = s.packages(readStatus, content)
	case name == "lib/apk/db/installed" || name == "usr/lib/apk/db/installed":
		f.found, err = s.packages(readInstalled, content)
	default:
		f.found, err = s.program(header, content)
	}
	if err != nil {
		s.note(fmt.Sprintf("%s: %v", shown(name), err))
	}
	if len(f.found) > 0 || f.release != (release{}) {
		s.files.put(name, f)
	}
}

// packages reads a database, as far as there is room.
func (s *scanner) packages(read func(io.Reader, func(found) error) error, content io.Reader) ([]found, error) {
	var all []found
	err := read(content, func(f found) error {
		if err := s.room(); err != nil {
			return err
		}
		all = append(all, f)
		return nil
	})
	return all, err
}

// room takes the place of one package.
func (s *scanner) room() error {
	if s.count >= mostPackages {
		return fmt.Errorf("the image names more than %d packages, and the rest is left out", mostPackages)
	}
	s.count++
	return nil
}

func (s *scanner) note(text string) {
	if len(s.notes) < mostNotes && !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

// resolve returns the path of an entry without slash in front. Of the links on
// its way only one of the root folder counts, as in systems that keep /bin in
// /usr.
func (s *scanner) resolve(name string) string {
	name = clean(name)
	first, rest, below := strings.Cut(name, "/")
	if target, ok := s.links[first]; ok && below {
		return path.Join(target, rest)
	}
	return name
}

func clean(name string) string { return path.Clean("/" + name)[1:] }

// list is what is left of the image's files at the end.
func (s *scanner) list() List {
	var distribution release
	for _, name := range []string{"usr/lib/os-release", "etc/os-release"} { // the latter wins
		if f := s.files.files[name]; f != nil && f.release != (release{}) {
			distribution = f.release
		}
	}
	byURL := map[string]*Package{}
	for _, name := range slices.Sorted(maps.Keys(s.files.files)) {
		for _, f := range s.files.files[name].found {
			url := f.url(distribution)
			p := byURL[url]
			if p == nil {
				p = &Package{Name: f.name, Version: f.version, PURL: url}
				byURL[url] = p
			}
			if len(p.Where) < mostPlaces && !slices.Contains(p.Where, shown(name)) {
				p.Where = append(p.Where, shown(name))
			}
		}
	}
	list := List{Notes: s.notes}
	for _, url := range slices.Sorted(maps.Keys(byURL)) {
		list.Packages = append(list.Packages, *byURL[url])
	}
	return list
}

// url returns the package URL.
func (f found) url(distribution release) string {
	if f.kind == "golang" {
		namespace, name := path.Split(f.name)
		return PURL(f.kind, strings.TrimSuffix(namespace, "/"), name, f.version, nil)
	}
	usual := map[string]string{"deb": "debian", "apk": "alpine"}
	qualifiers := map[string]string{"arch": f.arch, "upstream": f.src}
	if distribution.id != "" && distribution.version != "" {
		qualifiers["distro"] = distribution.id + "-" + distribution.version
	}
	return PURL(f.kind, cmp.Or(distribution.id, usual[f.kind]), f.name, f.version, qualifiers)
}

// shown makes a path fit for a document.
func shown(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
