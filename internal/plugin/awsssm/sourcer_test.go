package awsssm_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsssm"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// store is a parameter store: values by name, each with its type.
type store struct {
	mu       sync.Mutex
	values   map[string][2]string
	requests [][]string // the names of each request
	throttle int        // how many requests to refuse first
	signers  []string   // the access key of each request to any service
}

func (s *store) call(operation string, raw json.RawMessage) (answer any, refusal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Names          []string
		WithDecryption bool
	}
	if json.Unmarshal(raw, &in) != nil || operation != "GetParameters" || !in.WithDecryption || len(in.Names) > 10 {
		return nil, "ValidationException"
	}
	if s.throttle > 0 {
		s.throttle--
		return nil, "ThrottlingException"
	}
	s.requests = append(s.requests, in.Names)
	found, missing := []any{}, []string{}
	for _, asked := range in.Names {
		name, selector, selected := strings.Cut(strings.TrimPrefix(asked, "arn:aws:ssm:us-east-1:123456789012:parameter"), ":")
		value, ok := s.values[name]
		if !ok {
			missing = append(missing, asked)
			continue
		}
		p := map[string]any{"Name": name, "Type": value[0], "Value": value[1], "ARN": "arn:aws:ssm:us-east-1:123456789012:parameter" + name}
		if selected {
			p["Selector"] = ":" + selector
		}
		found = append(found, p)
	}
	return map[string]any{"Parameters": found, "InvalidParameters": missing}, ""
}

// transport answers for the store, and for the service that gives out keys.
func (s *store) transport() http.RoundTripper {
	parameters := awsfake.InProcess(awsfake.API(s.call))
	keys := awsfake.InProcess(http.HandlerFunc(identities))
	return awsfake.RoundTrip(func(r *http.Request) (*http.Response, error) {
		_, signer, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		signer, _, _ = strings.Cut(signer, "/")
		s.mu.Lock()
		s.signers = append(s.signers, signer)
		s.mu.Unlock()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			return keys.RoundTrip(r)
		}
		return parameters.RoundTrip(r)
	})
}

// identities answers as STS does.
func identities(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	if r.FormValue("Action") == "AssumeRole" {
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>of %s %s %s %s</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`+
			`</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			r.FormValue("RoleArn"), r.FormValue("ExternalId"), r.FormValue("DurationSeconds"), r.FormValue("RoleSessionName"))
		return
	}
	fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

func keysOf(paths ...string) []component.Key {
	var keys []component.Key
	for i, path := range paths {
		keys = append(keys, component.Key{Var: fmt.Sprintf("VAR_%d", i), Params: map[string]string{"path": path}})
	}
	return keys
}

func open(h component.Host, c awsssm.SourcerConfig) (component.Sourcer, error) {
	sourcer, _, err := awsssm.Plugin.Sourcer.Open(h, func(into any) hcl.Diagnostics {
		*into.(*awsssm.SourcerConfig) = c
		return nil
	})
	return sourcer, err
}

// read reads parameters with the source of a block.
func read(t *testing.T, h component.Host, c awsssm.SourcerConfig, keys []component.Key) ([]component.Reading, error) {
	t.Helper()
	sourcer, err := open(h, c)
	if err != nil {
		t.Fatal(err)
	}
	return sourcer.Read(t.Context(), keys)
}

var twoValues = map[string][2]string{"/shop/password": {"SecureString", "hunter2-hunter2"}, "/shop/region": {"String", "eu-west-1"}}

func TestSourcer(t *testing.T) {
	t.Parallel()
	plugintest.Sourcer(t, plugintest.SourcerCase{
		Plugin: awsssm.Plugin,
		New: func(*testing.T, *plugintest.Calls) plugintest.World {
			return plugintest.World{
				Host:    component.Host{HTTP: &http.Client{Transport: (&store{values: twoValues}).transport()}, Getenv: awsfake.Getenv},
				Secrets: []secret.Text{"hunter2-hunter2", "test-secret-key"},
				Reads:   awsfake.Reads,
			}
		},
		Keys:    keysOf("/shop/password", "/shop/region"),
		Want:    []string{"hunter2-hunter2", "eu-west-1"},
		Unknown: component.Key{Var: "NONE", Params: map[string]string{"path": "/shop/none"}},
	})
}

// TestBatches reads ten parameters at once, and each one once.
func TestBatches(t *testing.T) {
	t.Parallel()
	s := &store{values: map[string][2]string{}}
	var paths []string
	for i := range 23 {
		path := fmt.Sprintf("/n/%02d", i)
		paths = append(paths, path, path)
		s.values[path] = [2]string{"String", path}
	}
	readings, err := read(t, awsfake.Host(awsfake.Getenv, s.transport()), awsssm.SourcerConfig{}, keysOf(paths...))
	if err != nil {
		t.Fatal(err)
	}
	for i, reading := range readings {
		if reading.Err != nil || reading.Text.Reveal() != paths[i] {
			t.Errorf("key %d: %v, want %s", i, reading.Err, paths[i])
		}
	}
	if len(s.requests) != 3 {
		t.Errorf("%d requests, want 3: %q", len(s.requests), s.requests)
	}
}

// TestNames finds parameters by all the ways to name them.
func TestNames(t *testing.T) {
	t.Parallel()
	s := &store{values: twoValues}
	const arn = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/password"
	readings, err := read(t, awsfake.Host(awsfake.Getenv, s.transport()), awsssm.SourcerConfig{}, keysOf("/shop/password:3", arn, arn+":prod", "/shop/region"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"hunter2-hunter2", "hunter2-hunter2", "hunter2-hunter2", "eu-west-1"} {
		if r := readings[i]; r.Err != nil || r.Text.Reveal() != want || r.Public != (i == 3) {
			t.Errorf("key %d: %v, public %t", i, r.Err, r.Public)
		}
	}
}

// TestThrottling waits between tries, and gives up some time.
func TestThrottling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{values: twoValues, throttle: 4}
		began := time.Now()
		readings, err := read(t, awsfake.Host(awsfake.Getenv, s.transport()), awsssm.SourcerConfig{}, keysOf("/shop/region"))
		if err != nil || readings[0].Err != nil {
			t.Fatalf("Read = %v, %v", readings, err)
		}
		if time.Since(began) < 100*time.Millisecond {
			t.Errorf("five tries took %v", time.Since(began))
		}
		s = &store{values: twoValues, throttle: 1000}
		_, err = read(t, awsfake.Host(awsfake.Getenv, s.transport()), awsssm.SourcerConfig{MaxRetries: new(2)}, keysOf("/shop/region"))
		problem, _ := errors.AsType[*diag.Problem](err)
		if problem == nil || problem.Summary != "AWS limits the rate of requests" || s.throttle != 997 {
			t.Errorf("Read = %v after %d tries, want 3", err, 1000-s.throttle)
		}
	})
}

// TestIdentities signs in as the block says.
func TestIdentities(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = of-default\naws_secret_access_key = x\n[work]\naws_access_key_id = of-work\naws_secret_access_key = y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		config awsssm.SourcerConfig
		want   string
	}{
		"environment":     {awsssm.SourcerConfig{}, "test"},
		"keys":            {awsssm.SourcerConfig{AccessKey: "of-block", SecretKey: "s"}, "of-block"},
		"default profile": {awsssm.SourcerConfig{SharedCredentialsFile: file}, "of-default"},
		"profile":         {awsssm.SourcerConfig{SharedCredentialsFile: file, Profile: "work"}, "of-work"},
		"role": {
			awsssm.SourcerConfig{AssumeRoleARN: "reader", AssumeRoleExternalID: "id", AssumeRoleDurationSeconds: 900, AssumeRoleSessionName: "me"},
			"of reader id 900 me",
		},
		"role by default": {awsssm.SourcerConfig{AssumeRoleARN: "reader"}, "of reader  3600 deploy-action"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{values: twoValues}
			host := awsfake.Host(awsfake.Getenv, s.transport())
			host.SignIns = &sync.Map{}
			if _, err := read(t, host, c.config, keysOf("/shop/region")); err != nil {
				t.Fatal(err)
			}
			if got := s.signers[len(s.signers)-1]; got != c.want {
				t.Errorf("signed in as %q, want %q", got, c.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config        awsssm.SourcerConfig
		key           component.Key
		summary, attr string
	}{
		"half a pair":  {awsssm.SourcerConfig{AccessKey: "a"}, component.Key{}, "Half a pair of keys", "secret_key"},
		"other half":   {awsssm.SourcerConfig{SecretKey: "a"}, component.Key{}, "Half a pair of keys", "access_key"},
		"two":          {awsssm.SourcerConfig{AccessKey: "a", SecretKey: "b", Profile: "c"}, component.Key{}, "Two identities", "profile"},
		"no role":      {awsssm.SourcerConfig{AssumeRolePolicy: "{}"}, component.Key{}, "No role to assume", "assume_role_policy"},
		"duration":     {awsssm.SourcerConfig{AssumeRoleARN: "r", AssumeRoleDurationSeconds: 60}, component.Key{}, "Invalid duration", "assume_role_duration_seconds"},
		"retries":      {awsssm.SourcerConfig{MaxRetries: new(-1)}, component.Key{}, "Invalid max_retries", "max_retries"},
		"no name":      {awsssm.SourcerConfig{}, component.Key{Var: "A", Params: map[string]string{"name": "/shop/region"}}, "No parameter named", ""},
		"unknown name": {awsssm.SourcerConfig{}, component.Key{Var: "A", Params: map[string]string{"path": "/shop/nix"}}, `No parameter "/shop/nix"`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sourcer, err := open(awsfake.Host(awsfake.Getenv, (&store{values: twoValues}).transport()), c.config)
			if err == nil {
				var readings []component.Reading
				readings, err = sourcer.Read(t.Context(), []component.Key{c.key})
				if len(readings) == 1 {
					err = cmp.Or(err, readings[0].Err)
				}
			}
			problem, _ := errors.AsType[*diag.Problem](err)
			if problem == nil || problem.Summary != c.summary || problem.Attr != c.attr {
				t.Errorf("%v, want the problem %q at %q", err, c.summary, c.attr)
			}
		})
	}
}

// TestPolicy works with what docs/aws.md allows, and with nothing less.
func TestPolicy(t *testing.T) {
	t.Parallel()
	all := awsfake.Documented(t, "aws-ssm")
	for _, without := range append([]string{""}, all...) {
		host := awsfake.Host(awsfake.Getenv, awsfake.Under(awsfake.Without(all, without), (&store{values: twoValues}).transport()))
		if _, err := read(t, host, awsssm.SourcerConfig{}, keysOf("/shop/region")); (err == nil) != (without == "") {
			t.Errorf("without %q: %v", without, err)
		}
	}
}
