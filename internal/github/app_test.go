package github_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// appKey is made once, since that takes longer than most tests.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func inPEM(kind string, der []byte) secret.Text {
	return secret.Text(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// newApp returns an App that may do everything that a deploy needs.
func newApp(t *testing.T, fake *githubfake.Fake, secrets *secret.Set) *github.App {
	t.Helper()
	key := newKey(t)
	fake.AddApp(githubfake.App{ID: "123", Slug: "deployer", Key: &key.PublicKey, Permissions: []string{"deployments: write", "statuses: write"}})
	app, err := github.NewApp(github.AppOptions{
		ID: "123", Key: inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), Secrets: secrets,
		API: "https://api.example.test", Repository: "octo/shop", HTTP: &http.Client{Transport: fake},
	})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func clientOf(t *testing.T, fake *githubfake.Fake, app *github.App) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{
		API: "https://api.example.test", Repository: "octo/shop", App: app, HTTP: &http.Client{Transport: fake},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAppActs(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	var secrets secret.Set
	app := newApp(t, fake, &secrets)
	client := clientOf(t, fake, app)
	made, err := client.CreateDeployment(t.Context(), deployment("1"))
	if err != nil || made.Creator.Login != "deployer[bot]" {
		t.Fatalf("CreateDeployment() = %+v, %v, want one of deployer[bot]", made, err)
	}
	if err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"}); err != nil {
		t.Fatal(err)
	}
	if got := len(fake.Calls()); got != 4 {
		t.Errorf("sent %d requests, want 4: two to sign in, two to act", got)
	}
	if _, err := client.Run(t.Context(), 7); !strings.Contains(err.Error(), `"actions: read"`) {
		t.Errorf("Run() = %v, want a refusal", err)
	}

	text, err := app.Token(t.Context())
	if err != nil || secrets.RedactString(text.Reveal()) != "***" {
		t.Errorf("Token() = %v, want one that is known as a secret", err)
	}
	for range 2 { // the second time there is nothing left
		if err := app.Close(t.Context()); err != nil {
			t.Errorf("Close() = %v", err)
		}
	}
	old, err := github.New(github.Options{API: "https://api.example.test", Repository: "octo/shop", Token: text, HTTP: &http.Client{Transport: fake}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = old.Repository(t.Context())
	if refusal, ok := errors.AsType[*github.PermissionError](err); !ok || refusal.Status != http.StatusUnauthorized {
		t.Errorf("using the token after Close: %v, want 401", err)
	}
	if err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"}); err != nil {
		t.Errorf("the App cannot sign in again: %v", err)
	}
}

func TestAppTokenSeesOneRepository(t *testing.T) {
	t.Parallel()
	fake, err := githubfake.New(githubfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := newApp(t, fake, nil).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := github.New(github.Options{API: "https://api.example.test", Repository: "octo/other", Token: text, HTTP: &http.Client{Transport: fake}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Repository(t.Context()); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("another repository: %v, want ErrNotFound", err)
	}
}

// TestAppTokenIsRenewed works for three hours.
func TestAppTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		client := clientOf(t, fake, newApp(t, fake, nil))
		for range 18 {
			if err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}
		signIns := 0
		for _, c := range fake.Calls() {
			if strings.HasSuffix(c.Path, "/access_tokens") {
				signIns++
			}
		}
		if signIns != 3 {
			t.Errorf("asked for %d tokens in three hours, want 3", signIns)
		}
	})
}

func TestAppSignInFails(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		given func(*githubfake.Fake, *githubfake.App)
		is    error
		want  string
	}{
		"not installed": {
			func(_ *githubfake.Fake, a *githubfake.App) { a.Absent = true }, github.ErrNotInstalled,
			`signing in as GitHub App "123": the App is not installed in this repository`,
		},
		"another key": {
			func(_ *githubfake.Fake, a *githubfake.App) { a.Key = &other.PublicKey }, nil,
			`signing in as GitHub App "123": GitHub does not accept the App's ID and key (401 A JSON web token could not be decoded)`,
		},
		"suspended": {
			func(fake *githubfake.Fake, _ *githubfake.App) {
				fake.Refuse(refuseTimes(1, "/access_tokens", githubfake.Refusal{Status: 403, Body: `{"message":"This installation has been suspended"}`}))
			}, nil,
			`signing in as GitHub App "123": asking for a token: GitHub refused (403 This installation has been suspended)`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			client := clientOf(t, fake, newApp(t, fake, nil))
			a := githubfake.App{ID: "123", Key: &newKey(t).PublicKey}
			c.given(fake, &a)
			fake.AddApp(a)
			err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"})
			if _, ok := errors.AsType[*github.SignInError](err); !ok || c.is != nil && !errors.Is(err, c.is) || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if got := len(fake.Calls()); got > 2 {
				t.Errorf("sent %d requests, want 2 at most: a refusal is final", got)
			}
		})
	}
}

// TestAppSurvivesFaults breaks each request of the sign-in once.
func TestAppSurvivesFaults(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/installation", "/access_tokens"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				app := newApp(t, fake, nil)
				fake.Refuse(refuseTimes(1, path, githubfake.Refusal{Reset: true, Served: true}))
				if _, err := app.Token(t.Context()); err != nil {
					t.Errorf("Token() = %v", err)
				}
			})
		})
	}
}

// TestAppTurn holds up a sign-in: who waits for it can give up.
func TestAppTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		app := newApp(t, fake, nil)
		fake.Refuse(refuseTimes(1, "/installation", githubfake.Refusal{Pause: time.Minute}))
		signedIn := make(chan error)
		go func() { signedIn <- second(app.Token(t.Context())) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := app.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token() = %v, want that the context ended", err)
		}
		if err := app.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close() = %v, want that the context ended", err)
		}
		if err := <-signedIn; err != nil {
			t.Errorf("the first Token() = %v", err)
		}
	})
}

func TestAppKeys(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	onCurve, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		key  secret.Text
		want string // "" for no error
	}{
		"as downloaded":     {inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), ""},
		"PKCS 8":            {inPEM("PRIVATE KEY", pkcs8), ""},
		"no PEM":            {"MIIEow", "is not in PEM"},
		"nothing":           {"", "is not in PEM"},
		"another kind":      {inPEM("PRIVATE KEY", onCurve), `is a "PRIVATE KEY", not an RSA key`},
		"the public half":   {inPEM("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), `is a "PUBLIC KEY", not an RSA key`},
		"broken in the PEM": {inPEM("RSA PRIVATE KEY", []byte("x")), "not an RSA key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := github.NewApp(github.AppOptions{ID: "123", Key: c.key, Repository: "octo/shop", HTTP: &http.Client{}})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("NewApp() = %v, want %q", err, c.want)
			}
		})
	}
	good := inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	if _, err := github.NewApp(github.AppOptions{ID: "123", Key: good, Repository: "shop", HTTP: &http.Client{}}); err == nil {
		t.Error("NewApp() without an owner succeeded, want an error")
	}
}
