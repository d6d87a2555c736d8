package pack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/buildpacks/pack/pkg/cache"
	"github.com/buildpacks/pack/pkg/client"
	"github.com/buildpacks/pack/pkg/image"
	"github.com/buildpacks/pack/pkg/project/types"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// options says to pack what to build. The source is read and never written to.
func (b *builder) options(app component.App, n names, socket string) (client.BuildOptions, error) {
	created, err := b.created()
	if err != nil {
		return client.BuildOptions{}, err
	}
	policy, err := image.ParsePullPolicy(b.cfg.PullPolicy)
	if err != nil {
		return client.BuildOptions{}, err
	}
	options := client.BuildOptions{
		RelativeBaseDir:    app.Path,
		AppPath:            app.Path,
		Image:              n.image,
		PreviousImage:      n.previous,
		Builder:            b.cfg.builder(),
		Buildpacks:         b.cfg.Buildpacks,
		Env:                map[string]string{},
		RunImage:           b.cfg.RunImage,
		LifecycleImage:     b.cfg.LifecycleImage,
		DefaultProcessType: b.cfg.ProcessType,
		Platform:           b.cfg.Platform,
		PullPolicy:         policy,
		ClearCache:         b.cfg.NoCache,
		CreationTime:       created,
		DockerHost:         socket,
		ProxyConfig:        b.proxies(),
		GroupID:            -1, // the builder's
		UserID:             -1,
		ProjectDescriptor:  types.Descriptor{Build: types.Build{Exclude: ignored(b.cfg.Ignore)}},
		Cache: cache.CacheOpts{
			Build:  cache.CacheInfo{Format: cache.CacheVolume, Source: n.volume + ".build"},
			Launch: cache.CacheInfo{Format: cache.CacheVolume, Source: n.volume + ".launch"},
			Kaniko: cache.CacheInfo{Format: cache.CacheVolume, Source: n.volume + ".kaniko"},
		},
	}
	for name, value := range b.cfg.StaticEnvironment {
		options.Env[name] = value.Reveal()
	}
	if trusted := b.cfg.TrustBuilder; trusted != nil {
		options.TrustBuilder = func(string) bool { return *trusted }
	}
	return options, nil
}

// ignored adds to the user's patterns what no buildpack needs: the history, with
// which every commit would make another image, and the settings of git, in
// which a checkout leaves its token. The last pattern that fits counts.
func ignored(patterns []string) []string {
	all := append([]string{".git"}, patterns...)
	return append(all, "**/.git/config", "**/.git/modules/**/config")
}

// created is the time that the image says it was made at: by the convention for
// reproducible builds where it is set, and else a fixed one of the lifecycle's.
func (b *builder) created() (*time.Time, error) {
	text := b.host.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return nil, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, &diag.Problem{
			Summary: "Invalid SOURCE_DATE_EPOCH",
			Detail:  fmt.Sprintf("The environment variable SOURCE_DATE_EPOCH is %q, which is not a number of seconds. Correct it or unset it.", text),
		}
	}
	at := time.Unix(seconds, 0)
	return &at, nil
}

// proxies are those of this machine, by which buildpacks fetch what they need.
func (b *builder) proxies() *client.ProxyConfig {
	proxy := func(name string) string { return cmp.Or(b.host.Getenv(name), b.host.Getenv(strings.ToLower(name))) }
	return &client.ProxyConfig{HTTPProxy: proxy("HTTP_PROXY"), HTTPSProxy: proxy("HTTPS_PROXY"), NoProxy: proxy("NO_PROXY")}
}

// keychain answers the library's question for credentials.
type keychain func(host string) (oci.Login, error)

var _ authn.Keychain = keychain(nil)

// Resolve implements [authn.Keychain].
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	login, err := k(target.RegistryStr())
	if err != nil || login == (oci.Login{}) {
		return authn.Anonymous, err
	}
	return authn.FromConfig(authn.AuthConfig{
		Username:      login.Username,
		Password:      login.Password.Reveal(),
		IdentityToken: login.IdentityToken.Reveal(),
		RegistryToken: login.RegistryToken.Reveal(),
	}), nil
}
