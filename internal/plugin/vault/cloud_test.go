package vault_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

const aws = addr + "auth_method = \"aws\"\naws_role = \"deploy\"\n"

// TestAWSIdentity looks at the signed request that Vault is given to send.
func TestAWSIdentity(t *testing.T) {
	t.Parallel()
	block := "aws_access_key = \"AKIDBLOCK\"\naws_secret_key = \"secret-of-the-block\"\n"
	environment := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret-of-env", "AWS_SESSION_TOKEN": "session-of-env"}
	for name, c := range map[string]struct {
		config     string
		env        map[string]string
		url        string
		credential string // AKID/DATE is before it
		key        string
		headers    map[string]string
	}{
		"keys of the block": {
			config: block, env: environment, key: "AKIDBLOCK", url: "https://sts.amazonaws.com/", credential: "/us-east-1/sts/aws4_request",
			headers: map[string]string{"X-Amz-Security-Token": ""},
		},
		"keys of the environment": {
			config: "aws_region = \"eu-west-1\"\n", env: environment, key: "AKIDENV", url: "https://sts.eu-west-1.amazonaws.com/", credential: "/eu-west-1/sts/aws4_request",
			headers: map[string]string{"X-Amz-Security-Token": "session-of-env"},
		},
		"China":  {config: block + "aws_region = \"cn-north-1\"\n", key: "AKIDBLOCK", url: "https://sts.cn-north-1.amazonaws.com.cn/", credential: "/cn-north-1/sts/aws4_request"},
		"header": {config: block + "aws_header_value = \"vault.test\"\naws_type = \"iam\"\n", key: "AKIDBLOCK", url: "https://sts.amazonaws.com/", credential: "/us-east-1/sts/aws4_request", headers: map[string]string{"X-Vault-Aws-Iam-Server-Id": "vault.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login = map[string]any{"role": "deploy", "iam_http_request_method": "POST"}
			r := newRig(t, fake)
			maps.Copy(r.env, c.env)
			if _, err := read(t, r.must(aws+c.config), key("kv1/web", "password")); err != nil {
				t.Fatal(err)
			}
			sent := fake.sent("auth/aws/login")
			if got := decoded(t, sent["iam_request_url"]); got != c.url {
				t.Errorf("address %q, want %q", got, c.url)
			}
			if got := decoded(t, sent["iam_request_body"]); got != "Action=GetCallerIdentity&Version=2011-06-15" {
				t.Errorf("body %q", got)
			}
			var headers http.Header
			if err := json.Unmarshal([]byte(decoded(t, sent["iam_request_headers"])), &headers); err != nil {
				t.Fatal(err)
			}
			authorization := headers.Get("Authorization")
			for _, part := range []string{"AWS4-HMAC-SHA256 Credential=" + c.key + "/", c.credential, "SignedHeaders=", "host", "x-amz-date", "Signature="} {
				if !strings.Contains(authorization, part) {
					t.Errorf("Authorization: %q, want %q in it", authorization, part)
				}
			}
			for name, want := range c.headers {
				if got := headers.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
				if want != "" && !strings.Contains(authorization, strings.ToLower(name)) {
					t.Errorf("%s is not signed: %q", name, authorization)
				}
			}
		})
	}
}

func decoded(t *testing.T, field any) string {
	t.Helper()
	text, _ := field.(string)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("%v is not base64: %v", field, err)
	}
	return string(data)
}

// metadata answers for the metadata services of clouds, and leaves the rest to
// the fake.
type metadata struct {
	*fakeVault
	answers map[string]string // by method and URL; "" is 404
}

func (m metadata) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "vault.test" {
		return m.fakeVault.RoundTrip(req)
	}
	session := req.Header.Get("X-Aws-Ec2-Metadata-Token") + req.Header.Get("Metadata-Flavor")
	request := strings.TrimSpace(req.Method + " " + req.URL.String() + " " + session)
	fake := &fakeVault{bodies: map[string]map[string]any{}, override: func(*http.Request) (int, string) {
		if answer := m.answers[request]; answer != "" {
			return http.StatusOK, answer
		}
		return http.StatusNotFound, "nothing for " + request
	}}
	return fake.RoundTrip(req)
}

func TestInstances(t *testing.T) {
	t.Parallel()
	google := addr + "auth_method = \"gcp\"\ngcp_role = \"deploy\"\ngcp_type = \"gce\"\n"
	const googleAddress = "GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/%s/identity?format=full&audience=https%3A%2F%2Fvault%2Fdeploy Google"
	for name, c := range map[string]struct {
		config  string
		answers map[string]string
		login   string
		sent    map[string]any
		problem string
	}{
		"ec2": {
			config: aws + `aws_type = "ec2"`,
			answers: map[string]string{
				"PUT http://169.254.169.254/latest/api/token":                               "session",
				"GET http://169.254.169.254/latest/dynamic/instance-identity/pkcs7 session": "MIA\nGCS\n",
			},
			login: "auth/aws/login", sent: map[string]any{"role": "deploy", "pkcs7": "MIAGCS"},
		},
		"not ec2": {config: aws + `aws_type = "ec2"`, problem: "No identity of an AWS instance"},
		"gce": {
			config: google, answers: map[string]string{strings.Replace(googleAddress, "%s", "default", 1): "a.b.c"},
			login: "auth/gcp/login", sent: map[string]any{"role": "deploy", "jwt": "a.b.c"},
		},
		"gce, other account": {
			config: google + `gcp_service_account = "me@p.iam"`, answers: map[string]string{strings.Replace(googleAddress, "%s", "me@p.iam", 1): "a.b.c"},
			login: "auth/gcp/login", sent: map[string]any{"role": "deploy", "jwt": "a.b.c"},
		},
		"not gce": {config: google, problem: "No identity of a Google Cloud instance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login = c.sent
			_, err := read(t, newRig(t, metadata{fake, c.answers}).must(c.config), key("kv1/web", "password"))
			if c.problem != "" {
				wantProblem(t, err, c.problem, "404")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.sent, fake.sent(c.login)); diff != "" {
				t.Errorf("login (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGoogleKey checks the proof that a service account's key makes.
func TestGoogleKey(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@p.iam", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	fake := newFake()
	fake.login = map[string]any{"role": "deploy"}
	r := newRig(t, fake)
	r.env["GOOGLE_APPLICATION_CREDENTIALS"] = filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(r.env["GOOGLE_APPLICATION_CREDENTIALS"], file, 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := read(t, r.must(addr+"auth_method = \"gcp\"\ngcp_role = \"deploy\"\ngcp_jwt_exp = 5"), key("kv1/web", "password")); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSigned(fake.sent("auth/gcp/login")["jwt"].(string), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if id := signed.Signatures[0].Header.KeyID; id != "k1" {
		t.Errorf("the proof is signed with the key %q, want k1", id)
	}
	payload, err := signed.Verify(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Subject != "me@p.iam" || claims.Audience != "vault/deploy" {
		t.Errorf("claims %+v", claims)
	}
	if lasts := time.Unix(claims.Expires, 0).Sub(before); lasts < 4*time.Minute || lasts > 6*time.Minute {
		t.Errorf("the proof lasts %v, want 5 minutes", lasts)
	}
}

func TestGoogleKeyProblems(t *testing.T) {
	t.Parallel()
	iam := addr + "auth_method = \"gcp\"\ngcp_role = \"deploy\"\n"
	for name, c := range map[string]struct{ config, summary, says string }{
		"none":     {iam, "No gcp_credentials for Vault", "GOOGLE_APPLICATION_CREDENTIALS"},
		"no JSON":  {iam + `gcp_credentials = "pa55word"`, "Unusable key of a service account", "it is no JSON"},
		"no key":   {iam + `gcp_credentials = "{\"type\":\"external_account\"}"`, "Unusable key of a service account", "its private_key is no PEM"},
		"no PKCS8": {iam + `gcp_credentials = "{\"private_key\":\"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\"}"`, "Unusable key of a service account", "gcp_credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, newRig(t, newFake()).must(c.config), key("kv1/web", "password"))
			wantProblem(t, err, c.summary, c.says)
		})
	}
}
