package github_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestArtifactsNewestFirst(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.AddRun(githubfake.Run{ID: 8, HeadBranch: "fork", Fork: true})
	upload(t, fake, 7, "state", "old")
	upload(t, fake, 7, "state.2", "another name")
	upload(t, fake, 8, "state", "new")

	var got []string
	for _, a := range list(t, newClient(t, fake), "state") {
		got = append(got, fmt.Sprintf("%s of run %d on %s, foreign %v", a.Name, a.Run, a.HeadBranch, a.Foreign()))
	}
	want := []string{"state of run 8 on fork, foreign true", "state of run 7 on main, foreign false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Artifacts (-want +got):\n%s", diff)
	}
}

func TestArtifactsPages(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for run := range 130 {
		upload(t, fake, int64(run+1), "state", "x")
	}
	client := newClient(t, fake)
	before := len(fake.Calls())

	if got := len(list(t, client, "state")); got != 130 {
		t.Errorf("Artifacts yielded %d, want 130", got)
	}
	if got := len(fake.Calls()) - before; got != 2 {
		t.Errorf("reading 130 artifacts took %d requests, want 2", got)
	}
	for range client.Artifacts(t.Context(), "state") {
		break
	}
	if got := len(fake.Calls()) - before; got != 3 {
		t.Errorf("reading one more artifact took %d requests, want 1", got-2)
	}
}

func TestRunArtifacts(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	upload(t, fake, 7, "state", "a")
	upload(t, fake, 7, "state.2", "b")
	upload(t, fake, 9, "state", "c")
	var got []string
	for a, err := range newClient(t, fake).RunArtifacts(t.Context(), 7) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Name)
	}
	if diff := cmp.Diff([]string{"state.2", "state"}, got); diff != "" {
		t.Errorf("RunArtifacts (-want +got):\n%s", diff)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spoil func(fake *githubfake.Fake, id int64)
		file  string
		want  error // nil: the content
	}{
		"good":         {file: "file"},
		"changed":      {file: "file", spoil: (*githubfake.Fake).Corrupt, want: github.ErrDigest},
		"expired":      {file: "file", spoil: (*githubfake.Fake).Expire, want: github.ErrGone},
		"deleted":      {file: "file", spoil: (*githubfake.Fake).Delete, want: github.ErrGone},
		"another file": {file: "other", want: github.ErrContent},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			upload(t, fake, 7, "state", "content")
			client := newClient(t, fake)
			a := list(t, client, "state")[0]
			if c.spoil != nil {
				c.spoil(fake, a.ID)
			}
			content, err := client.Download(t.Context(), a, c.file)
			if !errors.Is(err, c.want) || c.want == nil && string(content) != "content" {
				t.Errorf("Download() = %q, %v, want error %v", content, err, c.want)
			}
		})
	}
}

// TestDownloadOfBadZips reads artifacts whose digest is right and that hold what
// we would never write.
func TestDownloadOfBadZips(t *testing.T) {
	t.Parallel()
	whole := zipped(t, zip.Store, "file", strings.NewReader("content"))
	cases := map[string]struct {
		content []byte
		says    string
	}{
		"empty":                 {nil, "not a valid zip file"},
		"no zip":                {[]byte("content"), "not a valid zip file"},
		"cut in the middle":     {whole[:len(whole)/2], "not a valid zip file"},
		"cut at the last byte":  {whole[:len(whole)-1], "not a valid zip file"},
		"content was changed":   {bytes.Replace(whole, []byte("content"), []byte("c0ntent"), 1), "checksum"},
		"a path out of it":      {zipped(t, zip.Store, "../file", strings.NewReader("content")), "no file"},
		"a path from the root":  {zipped(t, zip.Store, "/file", strings.NewReader("content")), "no file"},
		"in a folder":           {zipped(t, zip.Store, "folder/file", strings.NewReader("content")), "no file"},
		"a folder of that name": {zipped(t, zip.Store, "file/", strings.NewReader("")), "no file"},
		"a bomb":                {zipped(t, zip.Deflate, "file", io.LimitReader(zeros{}, 300<<20)), "larger than 256 MiB"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.AddArtifact(7, "job", "state", c.content)
			client := newClient(t, fake)
			content, err := client.Download(t.Context(), list(t, client, "state")[0], "file")
			if !errors.Is(err, github.ErrContent) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Download() = %d bytes, %v, want ErrContent and %q", len(content), err, c.says)
			}
		})
	}
}

// zipped makes a zip file of one file, which may have any name.
func zipped(t *testing.T, method uint16, name string, content io.Reader) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err == nil {
		_, err = io.Copy(entry, content)
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestDownloadAsksForANewURL lets the storage fail twice: a URL is good for a
// minute only, so the second try must not use the first one's.
func TestDownloadAsksForANewURL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		upload(t, fake, 7, "state", "content")
		client := newClient(t, fake)
		a := list(t, client, "state")[0]
		failures, addresses := 2, map[string]bool{}
		fake.Refuse(func(r *http.Request) *githubfake.Refusal {
			if !strings.HasPrefix(r.URL.Path, "/blob/") {
				return nil
			}
			addresses[r.URL.String()] = true
			if failures--; failures < 0 {
				return nil
			}
			// The pause makes the next URL another one.
			return &githubfake.Refusal{Status: 503, Header: http.Header{"Retry-After": {"61"}}}
		})
		content, err := client.Download(t.Context(), a, "file")
		if err != nil || string(content) != "content" || len(addresses) != 3 {
			t.Errorf("Download() = %q, %v after %d URLs, want the content after 3", content, err, len(addresses))
		}
	})
}

func TestListingErrorsNameThePermission(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	fake.Refuse(refuseTimes(-1, "/artifacts", githubfake.Refusal{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}))
	for _, err := range newClient(t, fake).Artifacts(t.Context(), "state") {
		if !strings.Contains(fmt.Sprint(err), `the token needs the permission "actions: read"`) {
			t.Errorf("error = %v, want one that names actions: read", err)
		}
	}
	if len(fake.Calls()) != 1 {
		t.Errorf("sent %d requests, want 1", len(fake.Calls()))
	}
}
