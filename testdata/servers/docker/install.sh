#!/usr/bin/env bash
# Installs the Docker engine and the program that the tests' base image is made
# of, from Debian. It starts nothing: testkit/servers does, where no engine
# runs. An engine that answers already is used as it is.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

missing=()
have dockerd || [[ -S /var/run/docker.sock ]] || [[ -n ${DOCKER_HOST:-} ]] || missing+=(docker.io iptables)
[[ -x /bin/busybox ]] || missing+=(busybox-static)
[[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"
