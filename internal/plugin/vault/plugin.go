// Package vault reads configuration values from HashiCorp Vault: secrets of
// either version of the key/value engine, and whatever else a read of a path
// answers with, such as the credentials of a database.
//
//	source "vault" {
//	  addr = "https://vault.example.com"
//
//	  auth "github-oidc" {
//	    role = "deploy"
//	  }
//	}
//
//	app "web" {
//	  config {
//	    env = {
//	      API_KEY = dynamic("vault", {
//	        path = "secret/web"
//	        key  = "api_key"
//	      })
//	    }
//	  }
//	}
//
// The path is the one that the command "vault kv get" takes, "secret/web", or
// the one of Vault's API, "secret/data/web", with or without "data/" before the
// key. A key is a name or a JSON pointer. Several keys of one path share one
// read, so the parts of one set of credentials fit together.
//
// It signs in, most specific first, with
//
//   - the job's OIDC token, where the block has auth "github-oidc" and the run
//     is a job's;
//   - the method that auth_method names;
//   - a token: VAULT_TOKEN, or the attribute token;
//   - the job's OIDC token and the role of VAULT_ROLE (the input vault-role);
//   - outside of jobs, the token that "vault login" left in ~/.vault-token;
//   - nothing, where agent_addr names an agent that signs in by itself.
//
// A variable of the environment wins over the attribute for the same setting.
//
// A token that was signed in for is renewed while the run lasts and revoked at
// its end, and with it every lease that was read. Values with a lease, such as
// database credentials, stop working then: where a deployed app goes on using
// them, set keep_leases. A token that was given is not this program's: it is
// neither renewed nor revoked, and leases under it end when their time does.
//
// It writes nothing to Vault and makes no policies, roles or mounts.
package vault

import "github.com/deploy-action/deploy-action/internal/component"

// Plugin reads configuration values from Vault.
var Plugin = component.Plugin{
	Name:    "vault",
	Summary: "Read configuration values from HashiCorp Vault.",
	Sourcer: component.NewSourcer(openSourcer),
}
