//go:build servers

package app_test

import (
	"net/http"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestSecretsOfARealVaultStayInside is TestSecretsStayInside with a real Vault.
func TestSecretsOfARealVaultStayInside(t *testing.T) {
	t.Parallel()
	vault := servers.Vault(t)
	values := map[string]any{"password": vaultPassword, "key": vaultPEM, "document": vaultDocument}
	if _, err := vault.Client.KVv2("secret").Put(t.Context(), "web", values); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	searchLeaks(t, "", transport, vault.Address, vault.Client.Token())
}
