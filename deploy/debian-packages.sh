#!/bin/sh
# Sees to it that Python can make virtual environments and is of a version that fits, and with "test" behind the
# interpreter's name also that the peers of the tests are there (sipp and baresip).
# As root it installs what Debian packages are missing; otherwise it says which they are.
set -eu
python=${1:-python3}
missing=""
command -v "$python" >/dev/null || missing="$missing python3"
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ "${2:-}" = test ]; then
    command -v sipp >/dev/null || missing="$missing sip-tester"
    command -v baresip >/dev/null || missing="$missing baresip-core"
    command -v openssl >/dev/null || missing="$missing openssl"
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "These Debian packages are missing:$missing. Install them as root: apt-get install$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing ca-certificates
fi
"$python" - <<'END'
import sys
if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit(f"Python {sys.version.split()[0]} does not fit: take 3.11, 3.12 or 3.13, for example make PYTHON=python3.11")
END
