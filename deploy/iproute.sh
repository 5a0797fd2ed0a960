#!/usr/bin/env bash
# iproute2, for the tests that put the services on network namespaces of their own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/apt.sh
. "$here/apt.sh"

PATH=$PATH:/usr/sbin:/sbin
command -v ip >/dev/null || apt_install "tests make network namespaces with it" iproute2
