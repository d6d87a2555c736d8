#!/usr/bin/env bash
# Builds act, which runs workflows on this machine as a runner would.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

build_server act github.com/nektos/act
