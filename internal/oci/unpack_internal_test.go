package oci

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// TestDecompressionBomb starts where most of the bomb was read already.
func TestDecompressionBomb(t *testing.T) {
	t.Parallel()
	var compressed bytes.Buffer
	zip := gzip.NewWriter(&compressed)
	if _, err := zip.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[int64]string{0: "", 8 << 30: "Image layer grows without measure"} {
		plain, err := decompress(bytes.NewReader(compressed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		plain.(*boundedReader).plain = before
		got := ""
		if _, err := io.Copy(io.Discard, plain); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("after %d bytes: reading ended with %q, want %q", before, got, want)
		}
	}
}
