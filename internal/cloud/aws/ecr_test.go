package aws_test

import (
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

// TestImageLogin renews a login after a while, whatever AWS says of its end.
func TestImageLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		host := awsfake.Host(awsfake.Getenv, awsfake.InProcess(awsfake.API(func(string, json.RawMessage) (any, string) {
			asked++
			token := base64.StdEncoding.EncodeToString([]byte("AWS:" + awsfake.Password))
			return map[string]any{"authorizationData": []any{map[string]any{
				"authorizationToken": token, "proxyEndpoint": "https://" + awsfake.ImageHost, "expiresAt": 1420070400, // in 2015
			}}}, ""
		})))
		host.SignIns = &sync.Map{}
		var masked []secret.Text
		host.Mask = func(text secret.Text) { masked = append(masked, text) }
		want := aws.ImageLogin{Username: "AWS", Password: awsfake.Password, Host: awsfake.ImageHost}
		for _, step := range []struct {
			after time.Duration
			asked int
		}{{0, 1}, {0, 1}, {29 * time.Minute, 1}, {2 * time.Minute, 2}, {0, 2}} {
			time.Sleep(step.after)
			got, err := open(t, host).ImageLogin(t.Context())
			if err != nil || got != want || asked != step.asked {
				t.Errorf("ImageLogin = %+v, %v after asking %d times, want %d", got, err, asked, step.asked)
			}
		}
		if len(masked) == 0 || masked[0] != awsfake.Password {
			t.Error("the password is not kept from the log")
		}
	})
}

func TestImageHosts(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-1":      "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		"us-gov-west-1":  "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
		"cn-north-1":     "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"eusc-de-east-1": "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
	} {
		host := aws.ImageHost(awsfake.Account, region)
		if host != want || aws.ImageRegion(host) != region {
			t.Errorf("ImageHost(%q) = %q, of region %q; want %q", region, host, aws.ImageRegion(host), want)
		}
	}
	for host, want := range map[string]string{
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com": "us-east-1", "123456789012.dkr-ecr.us-east-1.on.aws": "us-east-1",
		"ghcr.io": "", "public.ecr.aws": "", "12.dkr.ecr.us-east-1.amazonaws.com": "", "": "",
	} {
		if got := aws.ImageRegion(host); got != want {
			t.Errorf("ImageRegion(%q) = %q, want %q", host, got, want)
		}
	}
}
