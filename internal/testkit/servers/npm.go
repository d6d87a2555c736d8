package servers

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// AzuriteServer is the blob storage of Azure for tests, with one account.
type AzuriteServer struct {
	URL     string // of the account
	Account string
	Key     string // as in connection strings
}

// Azurite starts an empty Azurite, with everything in memory.
func Azurite(t *testing.T) *AzuriteServer {
	t.Helper()
	program := filepath.Join(installed(t, "azurite", "azurite"), ".bin", "azurite-blob")
	const account, key = "tester", "c2VjcmV0LW9mLXRoZS10ZXN0" // any base64
	host := freeAddress(t)
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", port)
	cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+account+":"+key)
	server := start(t, cmd)
	address := "http://" + host + "/" + account
	server.await(t, "azurite", func(ctx context.Context) error { return answers(ctx, address+"?comp=list", http.StatusForbidden) })
	return &AzuriteServer{URL: address, Account: account, Key: key}
}

// ArtifactClient returns the folder of GitHub's own client of the artifact
// service, from which a script of Node can import @actions/artifact, or ends the
// test.
func ArtifactClient(t *testing.T) string {
	t.Helper()
	program(t, "artifactclient", "node")
	return filepath.Dir(installed(t, "artifactclient", "@actions/artifact"))
}

// CacheClient is [ArtifactClient] for the cache service and @actions/cache.
func CacheClient(t *testing.T) string {
	t.Helper()
	program(t, "cacheclient", "node")
	return filepath.Dir(installed(t, "cacheclient", "@actions/cache"))
}

// installed returns the folder node_modules in which
// testdata/servers/NAME/install.sh has installed a package, or ends the test.
func installed(t *testing.T, name, module string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository(t), "testdata", "servers", name, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal(content, &manifest); err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		unavailable(t, name, err.Error())
	}
	folder := filepath.Join(cache, "deploy-action", "servers", name+"-"+manifest.Dependencies[module], "node_modules")
	if _, err := os.Stat(folder); err != nil {
		unavailable(t, name, err.Error()+"; testdata/servers/"+name+"/install.sh installs it")
	}
	return folder
}
