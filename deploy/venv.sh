#!/usr/bin/env bash
# venv.sh DIR: a virtual environment with pip in DIR, made by the first Python >= 3.11 found.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/apt.sh
. "$here/apt.sh"
folder=$1

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "talweg needs Python 3.11 or newer; found $(python3 --version 2>&1 || true)." >&2
    apt_install "Python 3.11 or newer" python3 python3-venv && python=$(find_python) || exit 1
fi
# Debian splits ensurepip off: without it a virtual environment has no pip.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
    apt_install "needed to make a virtual environment" "python$version-venv"
fi
# --clear: a half-made environment, of an interrupted call, is made anew.
"$python" -m venv --clear "$folder" || exit 1
