#!/usr/bin/env bash
# Installs Packer from Debian.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

have packer || install_packages packer
