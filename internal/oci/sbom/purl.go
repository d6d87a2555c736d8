package sbom

import (
	"maps"
	"slices"
	"strings"
)

// PURL returns the package URL of a package: https://github.com/package-url/purl-spec.
// The namespace may have slashes, and all but kind and name may be empty.
func PURL(kind, namespace, name, version string, qualifiers map[string]string) string {
	var b strings.Builder
	b.WriteString("pkg:" + kind)
	for part := range strings.SplitSeq(namespace, "/") {
		if part != "" {
			b.WriteString("/" + escape(part))
		}
	}
	b.WriteString("/" + escape(name))
	if version != "" {
		b.WriteString("@" + escape(version))
	}
	separator := "?"
	for _, key := range slices.Sorted(maps.Keys(qualifiers)) {
		if value := qualifiers[key]; value != "" {
			b.WriteString(separator + key + "=" + escape(value))
			separator = "&"
		}
	}
	return b.String()
}

// escape is the percent-encoding of such URLs, which leaves fewer characters as
// they are than that of web addresses.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
