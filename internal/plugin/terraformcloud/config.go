package terraformcloud

import (
	"net/url"
	"strings"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// SourcerConfig holds the settings of the config source.
type SourcerConfig struct {
	// API token of a user or a team. The action's input tfc-token wins over
	// it, and so do TFE_TOKEN and TF_TOKEN_HOST in the environment.
	Token secret.Text `hcl:"token,optional"`

	// Address of the service, "https://app.terraform.io" by default. The
	// action's input tfc-hostname wins over it, and so does TFE_HOSTNAME in the
	// environment.
	BaseURL string `hcl:"base_url,optional"`

	// Whether to accept any certificate. Whoever is on the way can read the
	// token then; the action's input ca-bundle is the better way.
	SkipVerify bool `hcl:"skip_verify,optional"`

	// Accepted for compatibility, without effect: values are read once, when a
	// run needs them.
	RefreshInterval string `hcl:"refresh_interval,optional"`
}

const (
	defaultAddress   = "https://app.terraform.io"
	tokenVariable    = "TFE_TOKEN"
	hostnameVariable = "TFE_HOSTNAME"
)

// origin says who gave a setting, for messages.
type origin struct {
	name string
	attr string // the attribute of the source, or ""
}

// service is the Terraform Cloud or Enterprise to read from, and the token to
// read with.
type service struct {
	address     *url.URL // its path does not count
	addressFrom origin
	token       secret.Text
	tokenFrom   origin
}

// service works out where to read and with which token: the environment, which
// has the action's inputs in it, wins over the file.
func (c SourcerConfig) service(getenv func(string) string) (service, error) {
	address, from, err := c.address(strings.TrimSpace(getenv(hostnameVariable)))
	if err != nil {
		return service{}, err
	}
	s := service{address: address, addressFrom: from, token: c.Token, tokenFrom: origin{`"token" of the source`, "token"}}
	for _, name := range []string{tokenVariable, hostVariable(address)} {
		if token := strings.TrimSpace(getenv(name)); token != "" {
			s.token, s.tokenFrom = secret.Text(token), origin{name: name + " in the environment"}
			break
		}
	}
	if s.token == "" {
		return service{}, s.noToken()
	}
	return s, nil
}

// address returns where to read, and who says so.
func (c SourcerConfig) address(hostname string) (*url.URL, origin, error) {
	text, from := defaultAddress, origin{name: "the default"}
	switch {
	case hostname != "":
		from = origin{name: hostnameVariable + " in the environment"}
		text = hostname
		if !strings.Contains(hostname, "://") {
			text = "https://" + hostname
		}
	case c.BaseURL != "":
		text, from = c.BaseURL, origin{`"base_url" of the source`, "base_url"}
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.User != nil || (address.Scheme != "https" && address.Scheme != "http") {
		return nil, from, invalidAddress(from)
	}
	return address, from, nil
}

// hostVariable names the variable in which Terraform looks for the token of a
// host.
func hostVariable(address *url.URL) string {
	return "TF_TOKEN_" + strings.NewReplacer(".", "_", "-", "__").Replace(strings.ToLower(address.Hostname()))
}
