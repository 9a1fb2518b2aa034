#!/bin/sh
# Sees to it that Python can make virtual environments and is of a version that fits; takes the interpreter's name, and
# "test" behind it for what tests need as well.
# As root it installs what Debian packages are missing; otherwise it says which they are.
set -eu
python=${1:-python3}
missing=""
command -v "$python" >/dev/null || missing="$missing python3"
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ "${2:-}" = test ]; then
    command -v chromium >/dev/null || missing="$missing chromium"
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
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
