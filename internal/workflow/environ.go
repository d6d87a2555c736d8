package workflow

import (
	"slices"
	"strings"
)

// childVariables are what a child process may have of our environment. All
// else stays with us: the runtime's and the job's tokens (ACTIONS_*,
// GITHUB_TOKEN), inputs and state (INPUT_*, STATE_*), the runner's command
// files, with which a child could set our outputs and later steps' PATH, and
// every credential. A list of what is forbidden would miss the next one.
var childVariables = []struct {
	names string // separated by spaces; one that ends in * is a prefix
	why   string
}{
	{"PATH HOME USER LOGNAME SHELL TMPDIR", "every program expects them"},
	{"LANG LANGUAGE LC_* TZ", "sorting, messages and dates come out as on the host"},
	{"TERM COLORTERM NO_COLOR CI", "tools choose their output by them"},
	{"GITHUB_ACTIONS GITHUB_WORKSPACE GITHUB_SERVER_URL GITHUB_API_URL GITHUB_GRAPHQL_URL", "where the job runs; addresses, no credentials"},
	{"GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID", "builds stamp their origin on what they make"},
	{"GITHUB_SHA GITHUB_REF GITHUB_REF_NAME GITHUB_REF_TYPE GITHUB_REF_PROTECTED GITHUB_HEAD_REF GITHUB_BASE_REF", "as above: what is built"},
	{"GITHUB_EVENT_NAME GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_RUN_ATTEMPT GITHUB_JOB GITHUB_WORKFLOW", "as above: which run builds it"},
	{"GITHUB_ACTOR GITHUB_ACTOR_ID GITHUB_TRIGGERING_ACTOR", "as above: for whom"},
	{"RUNNER_OS RUNNER_ARCH RUNNER_NAME RUNNER_ENVIRONMENT RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_DEBUG", "setup scripts look for them"},
	{"HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy", "without them there is no network behind a proxy"},
	{"SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO", "a company's own certificates, which are public"},
	{"XDG_*", "folders of caches and settings"},
	{"GOROOT GOPATH GOBIN GOCACHE GOMODCACHE GOTMPDIR GOENV GOWORK", "folders of the Go toolchain"},
	{"GOOS GOARCH GOAMD64 GOARM GOARM64 GOFLAGS GOEXPERIMENT GOTOOLCHAIN CGO_ENABLED", "what the Go toolchain builds, and how"},
	{"GOPROXY GONOPROXY GOSUMDB GONOSUMDB GOPRIVATE GOINSECURE", "where the Go toolchain finds modules"},
	{"NODE_ENV NODE_OPTIONS NODE_PATH COREPACK_HOME PNPM_HOME YARN_CACHE_FOLDER npm_config_cache npm_config_registry NPM_CONFIG_CACHE NPM_CONFIG_REGISTRY", "node and its package managers: caches and addresses"},
	{"JAVA_HOME JAVA_HOME_* JAVA_TOOL_OPTIONS MAVEN_OPTS M2_HOME GRADLE_USER_HOME GRADLE_OPTS", "the Java toolchain, as setup-java leaves it"},
	{"PIP_CACHE_DIR VIRTUAL_ENV PYTHONPATH PYTHONUNBUFFERED UV_CACHE_DIR", "the Python toolchain"},
	{"CARGO_HOME CARGO_TARGET_DIR RUSTUP_HOME RUSTUP_TOOLCHAIN GEM_HOME GEM_PATH BUNDLE_PATH DOTNET_ROOT NUGET_PACKAGES", "folders of other toolchains"},
	{"DOCKER_HOST DOCKER_BUILDKIT", "the address of the engine; DOCKER_CONFIG, which holds logins, is not here"},
	{"SOURCE_DATE_EPOCH", "reproducible builds"},
	{"WAYPOINT_*", "what scripts written for Waypoint ask for; its token is refused below"},
}

// credentialWords end the names of variables that hold credentials. No prefix
// of the table lets them through.
var credentialWords = []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIALS", "AUTH"}

// ChildEnviron returns what a hook, a tool or an external plugin may see of
// environ: an allow-list. In a job it also makes git accept a repository that
// belongs to another user, as the workspace does for a container, without
// writing to anybody's settings. The result is a new slice.
func ChildEnviron(environ []string) []string {
	var (
		child []string
		inJob bool
	)
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if allowed(name) {
			child = append(child, entry)
		}
		inJob = inJob || entry == "GITHUB_ACTIONS=true"
	}
	if inJob {
		child = append(child, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	}
	return child
}

// allowed reports whether a child process may have the variable.
func allowed(name string) bool {
	for _, row := range childVariables {
		for known := range strings.FieldsSeq(row.names) {
			prefix, isPrefix := strings.CutSuffix(known, "*")
			if name == known || isPrefix && strings.HasPrefix(name, prefix) && !credential(name) {
				return true
			}
		}
	}
	return false
}

// credential reports whether a variable of that name may hold a credential.
func credential(name string) bool {
	return slices.ContainsFunc(credentialWords, func(word string) bool {
		return strings.HasSuffix(strings.ToUpper(name), word)
	})
}
