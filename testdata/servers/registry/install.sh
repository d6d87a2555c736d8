#!/usr/bin/env bash
# Installs the container registry from Debian. It starts nothing: testkit/servers
# does, one for each test that asks.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

have docker-registry || install_packages docker-registry
