#!/usr/bin/env bash
# Installs moto, an AWS for tests. It starts nothing: testkit/servers does.
set -euo pipefail
# shellcheck source=.ci/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../.ci/lib.sh"

have moto_server && exit 0
have python3 || install_packages python3
python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
folder=${XDG_CACHE_HOME:-$HOME/.cache}/deploy-action/servers/moto-5.2.1
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet 'moto[server]==5.2.1'
