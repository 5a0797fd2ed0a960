#!/usr/bin/env bash
# Debian's Chromium, for the tests that look at the dashboard as a person does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/apt.sh
. "$here/apt.sh"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
# Playwright brings a Node.js of its own, which wants this; a minimal Debian is without.
/sbin/ldconfig -p | grep -q 'libatomic\.so\.1' || missing+=(libatomic1)
[ ${#missing[@]} = 0 ] || apt_install "the dashboard's tests drive a browser" "${missing[@]}"
