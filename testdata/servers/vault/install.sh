#!/usr/bin/env bash
# Builds Vault without the sign-in methods and storage of clouds: these would
# triple its build. It starts nothing: testkit/servers does, one for each test
# that asks.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

build_server vault github.com/hashicorp/vault -tags minimal
