package lambdafunctionurl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Config is the use block of the releaser.
type Config struct {
	// Who may call the URL: "NONE", the default, is everyone; "AWS_IAM" those
	// whose requests are signed by an identity of AWS that may call it.
	AuthType string `hcl:"auth_type,optional"`

	// With auth_type "AWS_IAM", which identities may call the URL: the ARN of a
	// role or user, or the number of an account. The default, "*", is every
	// identity that its own account lets call it.
	Principal string `hcl:"principal,optional"`

	// Which web pages may call the URL. Without the block none of another origin
	// may.
	CORS *CORS `hcl:"cors,block"`
}

// CORS says which web pages may call the URL.
type CORS struct {
	// Whether pages may send cookies and other credentials.
	AllowCredentials bool `hcl:"allow_credentials,optional"`

	// Headers that pages may send, such as "content-type".
	AllowHeaders []string `hcl:"allow_headers,optional"`

	// Methods that pages may use, such as "GET"; "*" for all.
	AllowMethods []string `hcl:"allow_methods,optional"`

	// Origins whose pages may call, such as "https://shop.example.com"; "*" for
	// all.
	AllowOrigins []string `hcl:"allow_origins,optional"`

	// Headers of answers that pages may read.
	ExposeHeaders []string `hcl:"expose_headers,optional"`

	// How many seconds a browser may keep this, 0 to 86400; 0 by default.
	MaxAge int `hcl:"max_age,optional"`
}

// authTypes are what Lambda knows.
var authTypes = []string{string(types.FunctionUrlAuthTypeNone), string(types.FunctionUrlAuthTypeAwsIam)}

// complete checks what was set, and sets what was not.
func (c *Config) complete() error {
	given := c.AuthType
	c.AuthType = strings.ToUpper(cmp.Or(c.AuthType, authTypes[0]))
	if !slices.Contains(authTypes, c.AuthType) {
		return &diag.Problem{
			Summary: fmt.Sprintf("A function URL has no auth_type %q", given),
			Detail:  "It is \"NONE\", for everyone, or \"AWS_IAM\", for signed requests." + diag.Suggest(c.AuthType, authTypes),
			Attr:    "auth_type",
		}
	}
	if c.Principal != "" && !c.signed() {
		return &diag.Problem{
			Summary: "Everyone may call a URL with auth_type \"NONE\"",
			Detail:  fmt.Sprintf("Set auth_type = \"AWS_IAM\" to let only %s call it, or remove principal.", c.Principal),
			Attr:    "principal",
		}
	}
	c.Principal = cmp.Or(c.Principal, "*")
	if c.CORS != nil && (c.CORS.MaxAge < 0 || c.CORS.MaxAge > 86400) {
		return &diag.Problem{
			Summary: fmt.Sprintf("A browser cannot keep CORS settings for %d seconds", c.CORS.MaxAge),
			Detail:  "Set max_age to a number from 0 to 86400, which is a day.",
			Attr:    "cors.max_age",
		}
	}
	return nil
}

// signed reports whether requests must be signed.
func (c *Config) signed() bool { return c.AuthType == string(types.FunctionUrlAuthTypeAwsIam) }

// cors returns the block as the API takes it; an empty one takes away what was
// set before.
func (c *Config) cors() *types.Cors {
	if c.CORS == nil {
		return &types.Cors{}
	}
	return &types.Cors{
		AllowCredentials: &c.CORS.AllowCredentials, AllowHeaders: c.CORS.AllowHeaders, AllowMethods: c.CORS.AllowMethods,
		AllowOrigins: c.CORS.AllowOrigins, ExposeHeaders: c.CORS.ExposeHeaders, MaxAge: new(int32(c.CORS.MaxAge)),
	}
}

// sameCORS reports whether two say the same. Lambda returns names of headers in
// lower case.
func sameCORS(a, b *types.Cors) bool {
	a, b = cmp.Or(a, &types.Cors{}), cmp.Or(b, &types.Cors{})
	lists := [][2][]string{
		{a.AllowHeaders, b.AllowHeaders}, {a.AllowMethods, b.AllowMethods}, {a.AllowOrigins, b.AllowOrigins}, {a.ExposeHeaders, b.ExposeHeaders},
	}
	for _, pair := range lists {
		if !slices.EqualFunc(pair[0], pair[1], strings.EqualFold) {
			return false
		}
	}
	return sdk.ToBool(a.AllowCredentials) == sdk.ToBool(b.AllowCredentials) && sdk.ToInt32(a.MaxAge) == sdk.ToInt32(b.MaxAge)
}
