#!/usr/bin/env bash
# Makes the root folders that the tests' base images are made of: a small Debian,
# as an archive in the user's cache folder, and the statically linked busybox.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

release=bookworm
cache=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-action/servers
folder=$cache/debian-$release

[[ -x /bin/busybox ]] || install_packages busybox-static
mkdir -p "$cache"
exec 9>"$cache/debian.lock"
if have flock; then flock 9; fi
[[ ! -f $folder/root.tar ]] || exit 0
[[ $(id -u) -eq 0 ]] || die "only root can make a root folder"
have debootstrap || install_packages debootstrap
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
debootstrap --variant=minbase --include=libcap2-bin,attr "$release" "$root" http://deb.debian.org/debian
# What a build does not read would only make every test slower.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/dev/* \
	"$root"/usr/share/{doc,info,locale,man,zoneinfo}/* "$root"/usr/lib/*/gconv
rm -rf "$folder.unfinished"
mkdir "$folder.unfinished"
tar -C "$root" --xattrs --xattrs-include='*' --numeric-owner --sort=name -cf "$folder.unfinished/root.tar" .
mv "$folder.unfinished" "$folder"
