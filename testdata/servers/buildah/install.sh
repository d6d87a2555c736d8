#!/usr/bin/env bash
# Installs buildah from Debian. It is a program that ends, and no server.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

have buildah || install_packages buildah
