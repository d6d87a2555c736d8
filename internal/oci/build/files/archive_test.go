package files

import (
	"bytes"
	"compress/gzip"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/moby/buildkit/solver/pb"
)

// packedWith compresses text.
func packedWith(t *testing.T, how, text string) string {
	t.Helper()
	var buffer bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&buffer)
	case "zstd":
		encoder, err := zstd.NewWriter(&buffer)
		if err != nil {
			t.Fatal(err)
		}
		w = encoder
	case "":
		return text
	default:
		command := exec.CommandContext(t.Context(), how, "-c")
		command.Stdin = strings.NewReader(text)
		packed, err := command.Output()
		if err != nil {
			t.Skipf("needs the program %s: %v", how, err)
		}
		return string(packed)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}

// packedXZ compresses text with xz in a certain way.
func packedXZ(t *testing.T, text string, options ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "xz", append(options, "-c")...)
	command.Stdin = strings.NewReader(text)
	packed, err := command.Output()
	if err != nil {
		t.Skipf("needs the program xz: %v", err)
	}
	return string(packed)
}

// addAction is what the Dockerfile "ADD source target" becomes.
func addAction(source, target string) *pb.FileActionCopy {
	a := copyAction(source, target)
	a.AttemptUnpackDockerCompatibility = true
	return a
}

func TestAdd(t *testing.T) {
	t.Parallel()
	content := archiveOf(t,
		"755 3:4 ./", "755 3:4 z/", "4755 3:4 z/prog=P", "644 3:4 a=A", "777 3:4 l→/z", "644 3:4 hard⇒a", "644 3:4 l/through=T",
		"644 3:4 ../../climbs=C", "644 3:4 new/deep/f=F", "644 3:4 a2=first", "644 3:4 a2=second", "644 3:4 empty=",
	)
	want := []string{
		"755 0:0 to/", "777 3:4 to/l→/z", "755 0:0 to/new/", "755 0:0 to/new/deep/", "755 3:4 to/z/",
		"4755 3:4 to/z/prog=P", "644 3:4 to/a=A", "644 3:4 to/z/through=T", "644 3:4 to/climbs=C",
		"644 3:4 to/new/deep/f=F", "644 3:4 to/a2=second", "644 3:4 to/empty=", "644 3:4 to/hard⇒to/a",
	}
	for _, how := range []string{"", "gzip", "zstd", "bzip2", "xz"} {
		t.Run("compressed with "+how, func(t *testing.T) {
			t.Parallel()
			view := contextOf(t, map[string]string{"x.tar": packedWith(t, how, content)})
			got := planned(t, step(addAction("x.tar", "/to")), layers(t, debian...), view)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("owner and another file", func(t *testing.T) {
		t.Parallel()
		view := contextOf(t, map[string]string{"x.tar": archiveOf(t, "755 3:4 bin/", "644 3:4 usr/bin/tool=N"), "y": "Y"})
		add := addAction("[xy]*", "/")
		add.Owner, add.Mode = byID(8, 9), 0o600
		got := planned(t, step(add), layers(t, debian...), view)
		want := []string{"755 8:9 bin/", "755 0:0 usr/", "755 0:0 usr/bin/", "600 8:9 y=Y", "644 8:9 usr/bin/tool=N"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("layer (-want +got):\n%s", diff)
		}
	})
	t.Run("no archive", func(t *testing.T) {
		t.Parallel()
		content := map[string]string{"gz": packedWith(t, "gzip", "only text"), "empty": "", "broken": "\x1f\x8b\x08", "xz": "\xfd7zXZ\x00 and so on", "dir/x.tar": archiveOf(t, "644 0:0 a=A")}
		got := planned(t, step(addAction(".", "/")), layers(t), contextOf(t, content))
		if len(got) != 6 || !strings.Contains(got[1], "dir/") || !strings.HasPrefix(got[2], "644 0:0 dir/x.tar=") {
			t.Errorf("a folder of files was unpacked: %q", got)
		}
		for _, name := range []string{"gz", "empty", "broken", "xz"} {
			got := planned(t, step(addAction(name, "/")), layers(t), contextOf(t, content))
			if len(got) != 1 || got[0] != "644 0:0 "+name+"="+content[name] {
				t.Errorf("ADD %s made %q", name, got)
			}
		}
	})
}

func TestAddProblems(t *testing.T) {
	t.Parallel()
	view := contextOf(t, map[string]string{
		"xz-program": packedXZ(t, archiveOf(t, "644 0:0 a=A"), "--x86", "--lzma2"), "xz-large": packedXZ(t, archiveOf(t, "644 0:0 a=A"), "--lzma2=dict=512MiB"),
		"wh": archiveOf(t, "644 0:0 .wh.etc=1"), "cut": archiveOf(t, "644 0:0 a="+strings.Repeat("x", 2000))[:1024],
	})
	for name, want := range map[string]string{
		"xz-program": `ADD "xz-program": the file is compressed with xz in a way that is not unpacked: with a filter for programs.`,
		"xz-large":   `ADD "xz-large": the file is compressed with xz in a way that is not unpacked: with a dictionary of 512MiB, where 256MiB is the most.`,
		"wh":         `the name "/.wh.etc" cannot be in an image`,
	} {
		if got := problem(t, step(addAction(name, "/")), layers(t), view); !strings.Contains(got, want) {
			t.Errorf("%s: problem is %s", name, got)
		}
	}
	_, err := Plan(t.Context(), step(addAction("cut", "/")), []View{layers(t), view})
	if err == nil || !strings.Contains(err.Error(), `unpacking "cut": unexpected EOF`) {
		t.Errorf("cut off: %v", err)
	}
}

// TestArchiveIsReadInOrder reads the files of an archive out of order, at once
// and again.
func TestArchiveIsReadInOrder(t *testing.T) {
	t.Parallel()
	view := contextOf(t, map[string]string{"x": archiveOf(t, "644 0:0 a=A", "644 0:0 b=B", "644 0:0 c=C")})
	entries, err := Plan(t.Context(), step(addAction("x", "/")), []View{layers(t), view})
	if err != nil {
		t.Fatal(err)
	}
	var open []io.ReadCloser
	for _, i := range []int{2, 0, 1, 0} {
		r, err := entries[i].body.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	for i, want := range []string{"C", "A", "B", "A"} {
		text, err := io.ReadAll(open[i])
		if err != nil || string(text) != want {
			t.Errorf("content %d is %q, %v, want %q", i, text, err, want)
		}
		if err := open[i].Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckGrowth covers archives that are made to fill a disk.
func TestCheckGrowth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, out int64
		stops   bool
	}{
		"small and grows much": {1, 8 << 30, false},
		"large and real":       {1 << 30, 20 << 30, false},
		"a bomb":               {1 << 20, 8<<30 + 1, true},
	} {
		err := checkGrowth(c.in, c.out)
		if stopped := err != nil; stopped != c.stops {
			t.Errorf("%s: checkGrowth = %v", name, err)
		}
	}
}
