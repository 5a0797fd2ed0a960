# Sourced by its neighbours: Debian packages, installed when this user may, asked for when not.
# apt_install WHY PACKAGE...   returns 1 after one clear message when it cannot be done.
apt_install() {
    local why=$1 as_root=()
    shift
    if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
        echo "Installing $* ($why)"
        "${as_root[@]}" apt-get -qq update >/dev/null &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get -qq install --yes --no-install-recommends "$@" >/dev/null && return 0
    fi
    printf '%s is missing (%s) and could not be installed from here. Please run:\n' "$*" "$why" >&2
    printf '    sudo apt-get install %s\n' "$*" >&2
    return 1
}
