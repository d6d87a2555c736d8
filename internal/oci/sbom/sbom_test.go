package sbom_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/deploy-action/deploy-action/internal/oci/sbom"
)

// entry is one of a layer: a file, or with a target a link.
type entry struct {
	name, content string
	link, hard    string
	folder        bool
}

// image returns the entries of layers, lowest first.
func image(layers ...[]entry) sbom.Entries {
	return func(_ context.Context, visit func(int, *tar.Header, io.Reader) error) error {
		for n, layer := range layers {
			for _, e := range layer {
				header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.content))}
				switch {
				case e.link != "":
					header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
				case e.hard != "":
					header.Typeflag, header.Linkname = tar.TypeLink, e.hard
				case e.folder:
					header.Typeflag = tar.TypeDir
				}
				if err := visit(n, header, strings.NewReader(e.content)); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func scan(t *testing.T, entries sbom.Entries) sbom.List {
	t.Helper()
	list, err := sbom.Scan(t.Context(), entries, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func urls(list sbom.List) []string {
	var all []string
	for _, p := range list.Packages {
		all = append(all, p.PURL)
	}
	return all
}

const (
	debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n"
	alpine = "ID=alpine\nVERSION_ID=3.20.1\n"

	libc   = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u4\nDescription: GNU C Library\n more of it\n Version: 1\n\n"
	vim    = "Package: vim\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:9.0.1378-2\n\n"
	gone   = "Package: old\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
	tzdata = "Package: tzdata\nVersion: 2024a-0+deb12u1\nArchitecture: all\n"
)

const (
	libcURL = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc"
	vimURL  = "pkg:deb/debian/vim@2%3A9.0.1378-2?arch=amd64&distro=debian-12"
	tzURL   = "pkg:deb/debian/tzdata@2024a-0%2Bdeb12u1?arch=all&distro=debian-12"
)

func TestScan(t *testing.T) {
	t.Parallel()
	base := []entry{
		{name: "bin", link: "usr/bin"},
		{name: "./usr/lib/os-release", content: debian},
		{name: "etc/os-release", link: "../usr/lib/os-release"},
		{name: "var/lib/dpkg/status", content: libc + vim + gone},
	}
	tests := map[string]struct {
		image sbom.Entries
		want  []string
	}{
		"dpkg":                  {image(base), []string{libcURL, vimURL}},
		"replaced":              {image(base, []entry{{name: "var/lib/dpkg/status", content: libc}}), []string{libcURL}},
		"removed":               {image(base, []entry{{name: "var/lib/dpkg/.wh.status"}}), nil},
		"removed with a folder": {image(base, []entry{{name: "var/.wh.lib"}}), nil},
		"a folder made anew": {
			image(base, []entry{{name: "var/lib/dpkg/status.d/tzdata", content: tzdata}, {name: "var/lib/.wh..wh..opq"}}),
			[]string{tzURL},
		},
		"a folder replaced by a file": {image(base, []entry{{name: "var/lib", content: "x"}}), nil},
		"a folder named again":        {image(base, []entry{{name: "var/lib", folder: true}}), []string{libcURL, vimURL}},
		"images without dpkg": {
			image([]entry{
				{name: "usr/lib/os-release", content: debian},
				{name: "var/lib/dpkg/status.d/tzdata", content: tzdata},
				{name: "var/lib/dpkg/status.d/tzdata.md5sums", content: "00  a: b\n"},
			}),
			[]string{tzURL},
		},
		"apk": {
			image([]entry{
				{name: "etc/os-release", content: alpine},
				{name: "lib/apk/db/installed", content: "C:Q1=\nP:busybox\nV:1.36.1-r29\nA:x86_64\no:busybox\n\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\no:busybox\nF:usr/bin\nR:ssl_client\n"},
			}),
			[]string{
				"pkg:apk/alpine/busybox@1.36.1-r29?arch=x86_64&distro=alpine-3.20.1",
				"pkg:apk/alpine/ssl_client@1.36.1-r29?arch=x86_64&distro=alpine-3.20.1&upstream=busybox",
			},
		},
		"a system that does not say its name": {
			image([]entry{{name: "var/lib/dpkg/status", content: vim}}),
			[]string{"pkg:deb/debian/vim@2%3A9.0.1378-2?arch=amd64"},
		},
		"nothing": {image([]entry{{name: "app", content: strings.Repeat("a", 100)}}), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := scan(t, tt.image)
			if diff := cmp.Diff(tt.want, urls(list)); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
			if len(list.Notes) > 0 {
				t.Errorf("notes: %q", list.Notes)
			}
		})
	}
}

// ownProgram is a program that Go made: this test. In place of the settings that
// it was built with it names modules, since tests name none.
func ownProgram(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const modules = "dep\tgithub.com/Acme/t/v2\tv2.1.0\n" +
		"dep\tx.org/a\tv1.0.0\n=>\tx.org/f\tv1.0.1\th1:\n" +
		"dep\tb.c\tv1\n=>\t../b\t\t\n"
	settings := regexp.MustCompile(`(build\t[^\n]*\n){4,}`)
	return string(settings.ReplaceAllFunc(program, func(old []byte) []byte {
		const rest = "build\tpad="
		padding := len(old) - len(modules) - len(rest) - 1
		if padding < 0 {
			t.Fatalf("no room for modules in place of %q", old)
		}
		return []byte(modules + rest + strings.Repeat("x", padding) + "\n")
	}))
}

func TestScanPrograms(t *testing.T) {
	t.Parallel()
	program := ownProgram(t)
	modules := []string{
		"pkg:golang/github.com/Acme/t/v2@v2.1.0", "pkg:golang/github.com/deploy-action/deploy-action",
		"pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go"), "pkg:golang/x.org/f@v1.0.1",
	}
	base := []entry{{name: "bin", link: "/usr/bin"}, {name: "usr/bin/app", content: program}}
	for name, tt := range map[string]struct {
		image sbom.Entries
		where []string // that name the modules; nil for none
	}{
		"once":                       {image(base), []string{"usr/bin/app"}},
		"twice":                      {image(base, []entry{{name: "opt/tool", content: program}}), []string{"opt/tool", "usr/bin/app"}},
		"replaced":                   {image(base, []entry{{name: "usr/bin/app", content: "#!/bin/sh"}}), nil},
		"replaced through a link":    {image(base, []entry{{name: "bin/app", content: "#!/bin/sh"}}), nil},
		"removed and still a link":   {image(base, []entry{{name: "usr/bin/other", hard: "usr/bin/app"}, {name: "usr/bin/.wh.app"}}), []string{"usr/bin/other"}},
		"a new root":                 {image(base, []entry{{name: ".wh..wh..opq"}}), nil},
		"a link replaced by another": {image(base, []entry{{name: "usr/bin/app", link: "/x"}}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := scan(t, tt.image)
			want := modules
			if tt.where == nil {
				want = nil
			}
			if diff := cmp.Diff(want, urls(list)); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
			for _, p := range list.Packages {
				if diff := cmp.Diff(tt.where, p.Where); diff != "" {
					t.Errorf("%s is named in (-want +got):\n%s", p.Name, diff)
				}
			}
		})
	}
}

// TestScanHostile covers files that are made to break whoever reads them.
func TestScanHostile(t *testing.T) {
	t.Parallel()
	program := ownProgram(t)
	flipped := []byte(program)
	for i := 64; i < len(flipped); i += 4099 {
		flipped[i] ^= 0xff
	}
	endless := strings.Repeat("x", 1<<20)
	for name, tt := range map[string]struct {
		file, content, note string
	}{
		"only the magic":         {"app", "\x7fELF" + strings.Repeat("\xff", 100), ""},
		"cut off":                {"app", program[:len(program)/2], ""},
		"a header":               {"app", program[:64], ""},
		"changed":                {"app", string(flipped), ""},
		"endless line":           {"var/lib/dpkg/status", "Package: a\nVersion: " + endless + "\n\n", ""},
		"no end of line":         {"var/lib/dpkg/status", endless, ""},
		"spaces in a name":       {"var/lib/dpkg/status", "Package: a b\nVersion: 1\n\n" + tzdata, "names packages with no version, or with odd characters"},
		"bytes that are no text": {"lib/apk/db/installed", "P:\xff\xfe\nV:1\n\n", "names packages with no version, or with odd characters"},
		"no version":             {"var/lib/dpkg/status", "Package: a\n\n", "names packages with no version, or with odd characters"},
		"odd path":               {"var/lib/dpkg/status.d/\xff", "Package: a\n\n", "var/lib/dpkg/status.d/\uFFFD: it names packages"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := scan(t, image([]entry{{name: tt.file, content: tt.content}}))
			notes := strings.Join(list.Notes, "\n")
			if !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("notes are %q, want %q", notes, tt.note)
			}
			if name == "spaces in a name" && len(list.Packages) != 1 {
				t.Errorf("of the others there are %q", urls(list))
			}
			document(t, list)
		})
	}
}

// pattern repeats a text without holding it.
type pattern struct {
	text string
	at   int
}

func (p *pattern) Read(into []byte) (int, error) {
	n := 0
	for n < len(into) {
		copied := copy(into[n:], p.text[p.at:])
		n, p.at = n+copied, (p.at+copied)%len(p.text)
	}
	return n, nil
}

// TestScanWithoutMeasure reads databases that never end.
func TestScanWithoutMeasure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, note string }{
		"packages": {vim, "the image names more than 200000 packages, and the rest is left out"},
		"text":     {" " + strings.Repeat("x", 4000) + "\n", "it is larger than 256 MiB, and the rest is left out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := scan(t, func(_ context.Context, visit func(int, *tar.Header, io.Reader) error) error {
				return visit(0, &tar.Header{Typeflag: tar.TypeReg, Name: "var/lib/dpkg/status", Size: 1 << 40}, &pattern{text: tt.text})
			})
			if want := []string{"var/lib/dpkg/status: " + tt.note}; !slices.Equal(list.Notes, want) {
				t.Errorf("notes are %q, want %q", list.Notes, want)
			}
		})
	}
}

// document writes a list and reads it again, with the library's own reader and
// checks.
func document(t *testing.T, list sbom.List) *v2_3.Document {
	t.Helper()
	subject := sbom.Subject{Name: "ghcr.io/Acme/web", Digest: "sha256:" + strings.Repeat("ab", 32)}
	data, err := list.Document(subject, "deploy-action-v1", time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	var doc v2_3.Document
	if err := spdxjson.ReadInto(bytes.NewReader(data), &doc); err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(&doc); err != nil {
		t.Error(err)
	}
	return &doc
}

func TestDocument(t *testing.T) {
	t.Parallel()
	list := scan(t, image([]entry{{name: "usr/lib/os-release", content: debian}, {name: "var/lib/dpkg/status", content: libc + vim}}))
	list.Notes = []string{"app: the program is damaged"}
	doc := document(t, list)
	if doc.SPDXVersion != "SPDX-2.3" || !strings.Contains(doc.DocumentComment, "does not cover") || !strings.HasSuffix(doc.DocumentComment, "app: the program is damaged.") {
		t.Errorf("the document is %s, and says: %s", doc.SPDXVersion, doc.DocumentComment)
	}
	type listed struct{ Name, Version, URL, Source string }
	var got []listed
	for _, p := range doc.Packages {
		reference := p.PackageExternalReferences[0]
		if reference.Category != common.CategoryPackageManager || reference.RefType != common.TypePackageManagerPURL {
			t.Errorf("%s has a reference of type %s %s", p.PackageName, reference.Category, reference.RefType)
		}
		got = append(got, listed{p.PackageName, p.PackageVersion, reference.Locator, p.PackageSourceInfo})
	}
	digest := strings.Repeat("ab", 32)
	want := []listed{
		{"ghcr.io/Acme/web", "sha256:" + digest, "pkg:oci/web@sha256%3A" + digest + "?repository_url=ghcr.io%2FAcme%2Fweb", ""},
		{"libc6", "2.36-9+deb12u4", libcURL, "named in var/lib/dpkg/status"},
		{"vim", "2:9.0.1378-2", vimURL, "named in var/lib/dpkg/status"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	var relations []string
	for _, r := range doc.Relationships {
		relations = append(relations, fmt.Sprint(r.RefA.ElementRefID, " ", r.Relationship, " ", r.RefB.ElementRefID))
	}
	wantRelations := []string{"DOCUMENT DESCRIBES image", "image CONTAINS package-1", "image CONTAINS package-2"}
	if diff := cmp.Diff(wantRelations, relations); diff != "" {
		t.Errorf("relations (-want +got):\n%s", diff)
	}
}
