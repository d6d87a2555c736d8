package failure

import (
	"strings"
	"testing"
)

// TestTail keeps the end of long output, and no half of a character.
func TestTail(t *testing.T) {
	t.Parallel()
	last := &Tail{}
	for range 1000 {
		if _, err := last.Write([]byte("line ö\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := last.String(), strings.TrimSuffix(strings.Repeat("line ö\n", tailLines), "\n"); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	long := &Tail{}
	if _, err := long.Write([]byte(strings.Repeat("ö", tailBytes) + "x")); err != nil {
		t.Fatal(err)
	}
	if got := long.String(); len(got) > tailBytes+2 || !strings.HasPrefix(got, "\uFFFDö") || !strings.HasSuffix(got, "öx") {
		t.Errorf("String() is %d bytes, from %q", len(got), got[:8])
	}
}

func TestOfRun(t *testing.T) {
	t.Parallel()
	output := &Tail{}
	if got, want := OfRun("RUN false", "ended with exit code 1", output, nil).Detail, "RUN false ended with exit code 1. It wrote nothing."; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
	if _, err := output.Write([]byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	if got, want := OfRun("RUN a", "failed", output, nil).Detail, "RUN a failed. The end of its output:\none\ntwo"; got != want {
		t.Errorf("Detail = %q, want %q", got, want)
	}
}
