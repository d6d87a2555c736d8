package sbom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Limits of the databases of package managers. The largest real ones have some
// ten thousand packages in some ten megabytes.
const (
	largestDatabase = 256 << 20
	longestValue    = 512
)

// readStatus reads the database of dpkg, or a file of it as images without dpkg
// have: https://www.debian.org/doc/debian-policy/ch-controlfields.html.
func readStatus(r io.Reader, tell func(found) error) error {
	return readFields(r, ": ", func(fields map[string]string) error {
		if fields["Package"] == "" && fields["Version"] == "" {
			return nil
		}
		status, stated := fields["Status"]
		if stated && !strings.HasSuffix(status, " installed") {
			return nil // removed, and only its settings are left
		}
		source, _, _ := strings.Cut(fields["Source"], " ")
		return tellOne(tell, found{kind: "deb", name: fields["Package"], version: fields["Version"], arch: fields["Architecture"], src: source})
	}, "Package", "Version", "Architecture", "Status", "Source")
}

// readInstalled reads the database of apk:
// https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2.
func readInstalled(r io.Reader, tell func(found) error) error {
	return readFields(r, ":", func(fields map[string]string) error {
		if fields["P"] == "" && fields["V"] == "" {
			return nil
		}
		source := fields["o"]
		if source == fields["P"] {
			source = ""
		}
		return tellOne(tell, found{kind: "apk", name: fields["P"], version: fields["V"], arch: fields["A"], src: source})
	}, "P", "V", "A", "o")
}

var errOdd = errors.New("it names packages with no version, or with odd characters, and they are left out")

// tellOne tells a package, if it is one.
func tellOne(tell func(found) error, f found) error {
	for _, text := range []string{f.name, f.version, f.arch, f.src} {
		if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }) {
			return errOdd
		}
	}
	if f.name == "" || f.version == "" {
		return errOdd
	}
	return tell(f)
}

// readFields calls tell for each group of lines that ends with an empty one,
// with those fields of it that are wanted. An odd group does not end it, and is
// told at the end.
func readFields(r io.Reader, separator string, tell func(map[string]string) error, wanted ...string) error {
	limited := &io.LimitedReader{R: r, N: largestDatabase}
	lines := bufio.NewReaderSize(limited, 64<<10)
	fields := map[string]string{}
	var odd error
	end := func() error {
		err := tell(fields)
		clear(fields)
		if errors.Is(err, errOdd) {
			odd, err = err, nil
		}
		return err
	}
	for {
		line, err := readLine(lines)
		if err != nil && err != io.EOF {
			return err
		}
		if line == "" {
			if err := end(); err != nil {
				return err
			}
		}
		name, value, ok := strings.Cut(line, separator)
		for _, w := range wanted {
			if ok && name == w {
				fields[name] = strings.TrimSpace(value)
			}
		}
		if err == nil {
			continue
		}
		if limited.N <= 0 {
			return fmt.Errorf("it is larger than %d MiB, and the rest is left out", largestDatabase>>20)
		}
		return odd
	}
}

// readLine returns a line without its end; at the end of the file an empty one
// and [io.EOF]. A line that no package needs to be so long comes back short.
func readLine(r *bufio.Reader) (string, error) {
	part, more, err := r.ReadLine()
	line := string(part[:min(len(part), longestValue)])
	for more && err == nil {
		_, more, err = r.ReadLine()
	}
	if err == io.EOF && line != "" {
		return line, nil // the next call comes to the end
	}
	return line, err
}

// release is what a distribution is called.
type release struct{ id, version string }

// readRelease reads os-release:
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html.
func readRelease(r io.Reader) (release, error) {
	var found release
	lines := bufio.NewReader(io.LimitReader(r, 64<<10))
	for {
		line, err := readLine(lines)
		name, value, _ := strings.Cut(line, "=")
		value = strings.Trim(value, `"' `)
		switch name {
		case "ID":
			found.id = strings.ToLower(value)
		case "VERSION_ID":
			found.version = value
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return release{}, err
		}
	}
}
