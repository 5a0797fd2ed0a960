#!/usr/bin/env bash
# Debian's Chromium, for the tests that look at the dashboard as a person does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/apt.sh
. "$here/apt.sh"
command -v chromium >/dev/null || apt_install "the dashboard's tests drive it" chromium
