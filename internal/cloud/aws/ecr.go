package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// ImageLogin is what the image registries of a region are shown.
type ImageLogin struct {
	Username string
	Password secret.Text
	Host     string // of the registry of the session's own account
}

// imageLoginFor is how long a login is taken for good. AWS says twelve hours;
// asking again costs little.
const imageLoginFor = 30 * time.Minute

// keptLogin is the login of an identity, which the operations of a run share.
type keptLogin struct {
	mu    sync.Mutex
	login ImageLogin
	until time.Time
}

// imageLogins names a [keptLogin].
type imageLogins struct{ identity }

// ImageLogin returns the login for the image registries that the session may
// use in its region, whichever account they are of.
func (s *Session) ImageLogin(ctx context.Context) (ImageLogin, error) {
	loaded, err := s.Config(ctx)
	if err != nil {
		return ImageLogin{}, err
	}
	shared := cmp.Or(s.host.SignIns, &s.own)
	value, _ := shared.LoadOrStore(imageLogins{s.identity(loaded.Region)}, &keptLogin{})
	kept := value.(*keptLogin)
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if time.Now().Before(kept.until) {
		return kept.login, nil
	}
	login, err := s.imageLogin(ctx, loaded)
	if err == nil {
		kept.login, kept.until = login, time.Now().Add(imageLoginFor)
	}
	return login, err
}

// errNoLogin means that what ECR answered is no login. It shows nothing of it.
var errNoLogin = errors.New("the answer of ECR holds no login")

func (s *Session) imageLogin(ctx context.Context, loaded sdk.Config) (ImageLogin, error) {
	answer, err := ecr.NewFromConfig(loaded).GetAuthorizationToken(ctx, nil)
	if err != nil {
		return ImageLogin{}, err
	}
	if len(answer.AuthorizationData) == 0 {
		return ImageLogin{}, errNoLogin
	}
	data := answer.AuthorizationData[0]
	text, err := base64.StdEncoding.DecodeString(sdk.ToString(data.AuthorizationToken))
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok {
		return ImageLogin{}, errNoLogin
	}
	login := ImageLogin{user, secret.Text(password), strings.TrimPrefix(sdk.ToString(data.ProxyEndpoint), "https://")}
	s.host.Mask(login.Password)
	s.host.Mask(secret.Text(sdk.ToString(data.AuthorizationToken)))
	return login, nil
}

// Account returns the account that the session works in, as far as that is known
// without signing in; else "".
func (s *Session) Account() string {
	if role, err := arn.Parse(s.Role()); err == nil {
		return role.AccountID
	}
	if len(s.auth.Accounts) == 1 {
		return s.auth.Accounts[0]
	}
	return s.host.Getenv("AWS_ACCOUNT_ID")
}

// domains are those of the partitions whose regions begin so; others are under
// amazonaws.com.
var domains = []struct{ region, domain string }{
	{"cn-", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov"},
	{"us-iso-", "c2s.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
}

// ImageHost returns the host of an account's images in a region.
func ImageHost(account, region string) string {
	domain := "amazonaws.com"
	for _, d := range domains {
		if strings.HasPrefix(region, d.region) {
			domain = d.domain
		}
	}
	return fmt.Sprintf("%s.dkr.ecr.%s.%s", account, region, domain)
}

// imageHost is a host of images. https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var imageHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+$`)

// ImageRegion returns the region of a host of images, or "" for any other host.
func ImageRegion(host string) string {
	if parts := imageHost.FindStringSubmatch(host); parts != nil {
		return parts[2]
	}
	return ""
}
