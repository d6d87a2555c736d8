#!/usr/bin/env bash
# Builds BuildKit, which judges our images, and installs what it runs commands
# with, from Debian. It starts nothing: testkit/servers does, one for each test
# that asks.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

have runc || install_packages runc
build_server buildkit github.com/moby/buildkit -tags osusergo,netgo,seccomp,dfparents
