package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
)

func TestLookupUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"passwd": "# a comment\nroot:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n",
		"group":  "root:x:0:\nweb:x:1001:\nlogs:x:50:other,web\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]user{
		"":         {Home: "/root"},
		"web":      {UID: 1000, GID: 1001, Groups: []int{50}, Home: "/home/web"},
		"1000":     {UID: 1000, GID: 1001, Groups: []int{50}, Home: "/home/web"},
		"web:logs": {UID: 1000, GID: 50, Home: "/home/web"},
		"7":        {UID: 7, Home: "/"},
		"7:8":      {UID: 7, GID: 8, Home: "/"},
	} {
		got, err := lookupUser(root, name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("lookupUser(%q): %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, name := range []string{"nobody", "web:nobody"} {
		if got, err := lookupUser(root, name); err == nil {
			t.Errorf("lookupUser(%q) = %+v, want a problem", name, got)
		}
	}
}

// A supervisor gives up on an app that never served, and on one that ends again
// and again.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		card  card
		exits int
		again bool
	}{
		"never served":        {card{}, 1, false},
		"served":              {card{Served: true}, 1, true},
		"ends time and again": {card{Served: true}, maxExits, false},
	} {
		s := &supervisor{home: home{t.TempDir()}, state: supervisorState{Exits: test.exits}}
		if err := s.home.saveCard(test.card); err != nil {
			t.Fatal(err)
		}
		if got := s.verdict(); (got == "") != test.again {
			t.Errorf("%s: verdict is %q, want it to start again: %v", name, got, test.again)
		}
	}
}

// Lines are neither lost nor doubled where a log is rotated while it is
// followed.
func TestLogRotation(t *testing.T) {
	t.Parallel()
	at := home{t.TempDir()}
	log, err := openLog(at.path(logName))
	if err != nil {
		t.Fatal(err)
	}
	line := func(n int) string { return fmt.Sprint(n, strings.Repeat(".", 1<<20)) }
	log.add(kindOutput, line(0))
	reader, err := openLogReader(at)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.close()
	var got []string
	collect := func(lines []component.LogLine, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			number, _, _ := strings.Cut(l.Text, ".")
			got = append(got, number)
		}
	}
	collect(reader.present("web", component.LogRequest{}))
	var want []string
	for n := range 20 {
		want = append(want, fmt.Sprint(n))
		if n > 0 {
			log.add(kindOutput, line(n))
			collect(reader.next("web", time.Time{}))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines followed (-want +got):\n%s", diff)
	}
	for _, name := range []string{logName, logName + olderLog} {
		if info, err := os.Stat(at.path(name)); err != nil || info.Size() > logLimit {
			t.Errorf("%s: %v, size %d, want at most %d", name, err, info.Size(), logLimit)
		}
	}
}

func TestLineWriter(t *testing.T) {
	t.Parallel()
	at := home{t.TempDir()}
	log, err := openLog(at.path(logName))
	if err != nil {
		t.Fatal(err)
	}
	writer := &lineWriter{log: log}
	for _, part := range []string{"one\ntw", "o\r\n", "\n", strings.Repeat("x", lineLimit+1), "\nlast"} {
		if n, err := writer.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write = %d, %v, want %d", n, err, len(part))
		}
	}
	writer.flush()
	var got []string
	for line, err := range readLog(at, "web", component.LogRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Text)
	}
	want := []string{"one", "two", "", strings.Repeat("x", lineLimit), "x", "last"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestPathName(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"", ".", "..", "%2E", "%2E.", "web", "web/..", "web%2F..", ".new-web", "a b"} {
		path := pathName(name)
		if path == "" || strings.HasPrefix(path, ".") || strings.Contains(path, "/") {
			t.Errorf("pathName(%q) = %q, which is no plain path element", name, path)
		}
		if other, taken := seen[path]; taken {
			t.Errorf("pathName is %q for both %q and %q", path, name, other)
		}
		seen[path] = name
	}
}
