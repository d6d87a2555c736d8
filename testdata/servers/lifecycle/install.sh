#!/usr/bin/env bash
# Builds the lifecycle of Cloud Native Buildpacks, of which the tests of use
# "pack" make a builder in a Docker engine. It starts nothing.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

build_server lifecycle github.com/buildpacks/lifecycle
