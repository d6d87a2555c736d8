#!/usr/bin/env bash
# Builds version 3 of the reference registry; Debian has version 2. It starts
# nothing: testkit/servers does, one for each test that asks.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

build_server distribution github.com/distribution/distribution/v3
