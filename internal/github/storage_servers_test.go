//go:build servers

package github

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// storageVersion is that of the storage's protocol which signatures are made for.
const storageVersion = "2018-11-09"

// TestUploadToAzurite stores content as [Service.Upload] does, small and of more
// than one block, and reads it back.
func TestUploadToAzurite(t *testing.T) {
	t.Parallel()
	azurite := servers.Azurite(t)
	makeContainer(t, azurite)
	storage := upload{client: http.DefaultClient, mediaType: "application/zip", patience: outagePatience}
	for name, size := range map[string]int{"empty": 0, "small": 1000, "large": blockSize + 1000} {
		t.Run(name, func(t *testing.T) {
			content := make([]byte, size)
			for i := range content {
				content[i] = byte(rand.Uint32())
			}
			if err := storage.store(t.Context(), signedBlob(t, azurite, name, "cw"), bytes.NewReader(content), int64(len(content))); err != nil {
				t.Fatal(err)
			}
			got, err := fetch(t.Context(), http.DefaultClient, signedBlob(t, azurite, name, "r"), digestOf(content))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes were read with %v, want the %d that were stored", len(got), err, size)
			}
			err = storage.store(t.Context(), signedBlob(t, azurite, name, "r"), bytes.NewReader(content), int64(len(content)))
			if err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("a URL for reading lets us write: %v", err)
			}
		})
	}
}

// makeContainer makes the container "artifacts", by a signature for the account.
func makeContainer(t *testing.T, a *servers.AzuriteServer) {
	t.Helper()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	text := strings.Join([]string{a.Account, "rwc", "b", "sco", "", until, "", "", storageVersion, ""}, "\n")
	query := url.Values{"sv": {storageVersion}, "ss": {"b"}, "srt": {"sco"}, "sp": {"rwc"}, "se": {until}, "sig": {sign(t, a, text)}, "restype": {"container"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.URL+"/artifacts?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body) // more than the status is not needed
		t.Fatalf("making a container: %s %s", response.Status, text)
	}
}

// signedBlob returns a URL as the artifact service hands it out: signed for one
// blob and one purpose.
func signedBlob(t *testing.T, a *servers.AzuriteServer, name, permission string) string {
	t.Helper()
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	place := "/blob/" + a.Account + "/artifacts/" + name
	text := strings.Join([]string{permission, "", until, place, "", "", "", storageVersion, "b", "", "", "", "", "", ""}, "\n")
	query := url.Values{"sv": {storageVersion}, "sr": {"b"}, "sp": {permission}, "se": {until}, "sig": {sign(t, a, text)}}
	return a.URL + "/artifacts/" + name + "?" + query.Encode()
}

func sign(t *testing.T, a *servers.AzuriteServer, text string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(a.Key)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// insideAct says to a test of this package that act runs it.
const insideAct = "TEST_INSIDE_ACT"

// TestServiceOfAct makes act run the other test of this file as a step, on this
// machine itself, and serve artifacts to it.
func TestServiceOfAct(t *testing.T) {
	t.Parallel()
	if os.Getenv(insideAct) != "" {
		t.Skip("act runs us already")
	}
	program := servers.Act(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	workflow := filepath.Join(folder, ".github", "workflows", "test.yml")
	if err := os.MkdirAll(filepath.Dir(workflow), 0o755); err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: %s -test.run '^TestServiceOfTheJob$' -test.v\n        shell: sh\n        env:\n          %s: yes\n", self, insideAct)
	if err := os.WriteFile(workflow, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", "--initial-branch=main", folder).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "push", "-C", folder, "-P", "ubuntu-latest=-self-hosted", "--no-cache-server",
		"--artifact-server-path", filepath.Join(folder, "artifacts"), "--artifact-server-addr", "127.0.0.1", "--artifact-server-port", freePort(t))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestServiceOfTheJob")) {
		t.Errorf("the step ended with %v:\n%s", err, out)
	}
}

// TestServiceOfTheJob uploads to the artifact service of the job that it runs in,
// finds what it uploaded, and reads it.
func TestServiceOfTheJob(t *testing.T) {
	t.Parallel()
	if os.Getenv(insideAct) == "" {
		t.Skip("TestServiceOfAct runs it inside act")
	}
	service, err := NewService(ServiceOptions{
		ResultsURL: os.Getenv("ACTIONS_RESULTS_URL"), Token: secret.Text(os.Getenv("ACTIONS_RUNTIME_TOKEN")),
		HTTP: http.DefaultClient, Secrets: &secret.Set{},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("the state of the shop")
	if _, err := service.Upload(t.Context(), "deploy-action.shop.web.default", "state", want); err != nil {
		t.Fatal(err)
	}
	list, err := service.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "deploy-action.shop.web.default" {
		t.Fatalf("the list is %v (%v), want what was uploaded", list, err)
	}
}

// freePort returns a port that nothing listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
