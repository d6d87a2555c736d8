# What the scripts in this folder share. It is sourced, and changes to the
# repository's root.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# headline TEXT... starts a part of the output.
headline() { printf '\n=== %s\n' "$*"; }

# die TEXT... ends the script with a message.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# have COMMAND succeeds where the command exists.
have() { command -v "$1" >/dev/null 2>&1; }

# install_packages NAME... installs Debian packages, with sudo when not root.
install_packages() {
	have apt-get || die "this machine has no apt-get; install what these Debian packages hold: $*"
	local root=()
	if [[ $(id -u) -ne 0 ]]; then
		have sudo || die "installing $* needs root or sudo"
		root=(sudo)
	fi
	echo "installing $*"
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
}

# tool NAME ARGS... runs one of the tools of .github/tools.mod.
tool() { go tool -modfile=.github/tools.mod "$@"; }

# silent TEXT COMMAND... runs a tool that prints what is wrong and may end with
# status 0 all the same; it must print nothing.
silent() {
	local what=$1 output
	shift
	output=$("$@" 2>&1) || { printf '%s\n' "$output" && die "$what"; }
	output=$(grep -v '^go: downloading ' <<<"$output" || true) # a fresh machine's module cache
	[[ -z $output ]] || { printf '%s\n' "$output" && die "$what"; }
}

# run_tests FORMAT PACKAGES FLAGS... runs go test with FLAGS on PACKAGES. Tests that
# fail are run once more, if they are five at most; one that then passes does
# not end a run of many minutes, but is named as flaky, to be repaired.
run_tests() {
	local format=$1 packages=$2 report status=0
	shift 2
	report=$(mktemp)
	tool gotestsum --format "$format" --hide-summary skipped --rerun-fails=1 --rerun-fails-max-failures=5 \
		--rerun-fails-report "$report" --packages "$packages" -- "$@" || status=$?
	if [[ $status -eq 0 && -s $report ]]; then
		headline FLAKY: these tests failed and then passed
		cat "$report"
	fi
	rm -f "$report"
	return "$status"
}

# build_server NAME MODULE FLAGS... builds the tools of testdata/servers/NAME/go.mod
# into the user's cache folder, once for each version of their module and of Go:
# testkit/servers looks for them there. The folder gets its name last, so a
# build that was cut never counts.
build_server() {
	local name=$1 module=$2 here=testdata/servers/$1 version cache folder unfinished
	shift 2
	version=$(go -C "$here" list -m -f '{{.Version}}' "$module")
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-action/servers
	folder=$cache/$name-$version-$(go env GOVERSION)
	unfinished=$folder.unfinished
	mkdir -p "$cache"
	exec 9>"$cache/$name.lock"
	if have flock; then flock 9; fi
	if [[ ! -d $folder ]]; then
		rm -rf "$unfinished"
		mkdir "$unfinished"
		CGO_ENABLED=0 GOFLAGS=-buildvcs=false go -C "$here" build -trimpath -ldflags '-s -w' "$@" -o "$unfinished/" tool
		mv "$unfinished" "$folder"
	fi
	exec 9>&-
}

# install_npm NAME PACKAGE installs a package of npm, in the version that
# testdata/servers/NAME/package.json names, as build_server does.
install_npm() {
	local name=$1 package=$2 here=testdata/servers/$1 version cache folder unfinished
	have npm || install_packages nodejs npm
	version=$(node -p "require('./$here/package.json').dependencies['$package']")
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-action/servers
	folder=$cache/$name-$version
	unfinished=$folder.unfinished
	mkdir -p "$cache"
	exec 9>"$cache/$name.lock"
	if have flock; then flock 9; fi
	if [[ ! -d $folder ]]; then
		rm -rf "$unfinished"
		mkdir "$unfinished"
		cp "$here/package.json" "$unfinished"
		npm install --prefix "$unfinished" --ignore-scripts --no-audit --no-fund --loglevel=error
		mv "$unfinished" "$folder"
	fi
	exec 9>&-
}

have go || die "Go is missing; go.mod names the version: https://go.dev/dl/"
