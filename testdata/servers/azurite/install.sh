#!/usr/bin/env bash
# Installs Azurite, the blob storage of Azure for tests. It starts nothing:
# testkit/servers does.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

install_npm azurite azurite
