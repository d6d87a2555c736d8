package servers

import (
	"context"
	"net/http"
	"os/exec"
	"testing"

	"github.com/hashicorp/vault/api"
)

// VaultServer is a Vault that answers.
type VaultServer struct {
	Address string      // as in VAULT_ADDR
	Client  *api.Client // with the root token
}

// Vault starts an unsealed Vault for the length of the test, with everything in
// memory and version 2 of the key/value engine at "secret/". It has the auth
// methods "jwt", "approle" and "userpass" to enable, and none of the clouds'.
func Vault(t *testing.T) *VaultServer {
	t.Helper()
	binary := built(t, "vault", "github.com/hashicorp/vault", "vault")
	const token = "root"
	host := freeAddress(t)
	cmd := exec.Command(binary, "server", "-dev", "-dev-no-store-token", "-log-level=warn", "-dev-root-token-id="+token, "-dev-listen-address="+host)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	server := start(t, cmd)
	address := "http://" + host
	// It answers a little before "secret/" is there.
	server.await(t, "vault", func(ctx context.Context) error { return answers(ctx, address+"/v1/sys/health", http.StatusOK) })
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	client.ClearNamespace()
	server.await(t, "vault", func(ctx context.Context) error {
		_, err := client.KVv2("secret").Put(ctx, "ready", map[string]any{"yes": "1"})
		return err
	})
	return &VaultServer{Address: address, Client: client}
}
