#!/usr/bin/env bash
# Builds act, which runs workflows on this machine as a runner would, into the
# user's cache folder, once for each version. The finished program gets its
# name last, so a build that was cut never counts.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.ci/lib.sh
source "$here/../../../.ci/lib.sh"

# testkit/servers looks for the program here, too.
version=$(go -C "$here" list -m -f '{{.Version}}' github.com/nektos/act)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-action/servers
folder=$cache/act-$version-$(go env GOVERSION)

mkdir -p "$cache"
exec 9>"$cache/act.lock"
if have flock; then flock 9; fi
[[ -x $folder/act ]] && exit

unfinished=$folder.unfinished
rm -rf "$unfinished"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go -C "$here" build -trimpath -ldflags '-s -w' -o "$unfinished/act" github.com/nektos/act
mv "$unfinished" "$folder"
