#!/usr/bin/env bash
# Installs GitHub's own client of the cache service, which tests run
# against the fake.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

install_npm cacheclient @actions/cache
