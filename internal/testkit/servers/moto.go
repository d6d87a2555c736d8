package servers

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// MotoServer is AWS for tests: it keeps what is made in memory, and checks
// neither signatures nor permissions.
type MotoServer struct {
	URL string // as in AWS_ENDPOINT_URL
}

// ManagedPolicies is a setting of [Moto] with which it has the policies of AWS
// itself. Resetting it takes seconds then.
const ManagedPolicies = "MOTO_IAM_LOAD_MANAGED_POLICIES=true"

// Moto starts an AWS without anything but the default VPC, for the length of the
// test. Settings are variables of its environment, such as
// MOTO_ECS_SERVICE_RUNNING=1.
func Moto(t *testing.T, settings ...string) *MotoServer {
	t.Helper()
	host := freeAddress(t)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(motoServer(t), "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_ACM_VALIDATION_WAIT=1")
	cmd.Env = append(cmd.Env, settings...)
	server := start(t, cmd)
	address := "http://" + host
	server.await(t, "moto", func(ctx context.Context) error { return answers(ctx, address+"/moto-api/data.json", http.StatusOK) })
	return &MotoServer{URL: address}
}

// motoServer returns the path of the program: that of the machine, or the one
// that install.sh has installed.
func motoServer(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err == nil {
		installed := filepath.Join(cache, "deploy-action", "servers", "moto-5.2.1", "bin", "moto_server")
		if _, err := os.Stat(installed); err == nil {
			return installed
		}
	}
	return program(t, "moto", "moto_server")
}

// Reset takes everything away that was made.
func (m *MotoServer) Reset(t *testing.T) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post(m.URL+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // nothing is read of it
	if response.StatusCode != http.StatusOK {
		t.Fatalf("resetting moto: %s", response.Status)
	}
}

// Getenv is the environment of somebody who works with the server.
func (m *MotoServer) Getenv(name string) string {
	return map[string]string{
		"AWS_ENDPOINT_URL": m.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret-key", "AWS_REGION": "us-east-1",
	}[name]
}

// ReadsAWS reports whether a request to AWS changes nothing, by the name of what
// it asks for.
func ReadsAWS(r *http.Request) bool {
	operation := AWSOperation(r)
	return r.Method == http.MethodGet || slices.ContainsFunc([]string{"Get", "List", "Describe", "BatchGet", "Filter", "AssumeRole"}, func(verb string) bool {
		return strings.HasPrefix(operation, verb)
	})
}

// AWSOperation returns the name of what a request asks of AWS; "" where the
// method and path alone say it. The body can be read again.
func AWSOperation(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if _, operation, found := strings.Cut(r.URL.Path, "/operation/"); found {
		return operation
	}
	if r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return ""
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, unread := url.ParseQuery(string(body))
	if err != nil || unread != nil {
		return ""
	}
	return form.Get("Action")
}
