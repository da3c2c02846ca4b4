# Sourced by the other scripts. ensure_environment [test|fuzz]: make .venv hold the project and what it needs.
# Takes no time when nothing changed since the last call.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "gproxy needs Python 3.11 or newer: install it, or name one: PYTHON=/path/to/python3 $0"
    exit 1
}

create_venv() {
    local python
    python=$(find_python) || exit 1
    # Debian keeps the part of Python that makes environments in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "Installing the Debian package python3-venv ..."
            { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; } >/dev/null
        else
            say "This Python cannot make a virtual environment: install its venv module (Debian: python3-venv)"
            exit 1
        fi
    fi
    "$python" -m venv --clear .venv
}

# The tests of pages use the browser of the system.
ensure_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing the Debian package chromium ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core; } >/dev/null
    else
        say "The tests of pages need Chromium: install it (Debian: chromium)"
    fi
}

ensure_environment() {
    local extra=${1:-} holders holder state
    exec 9>.venv.lock
    command -v flock >/dev/null && flock 9 # two scripts started at once install once
    .venv/bin/python -c 'import pip' 2>/dev/null || { say "Creating the virtual environment .venv ..."; create_venv; }
    # An environment knows its own path, so a moved checkout counts as changed.
    state="$(cat setup.py gproxy/__init__.py web/package*.json | sha256sum) $PWD $(.venv/bin/python -V)"
    case "$extra" in "") holders="run test fuzz" ;; test) holders="test fuzz" ;; *) holders=$extra ;; esac
    for holder in $holders; do
        if [ "$(cat ".venv/.installed-$holder" 2>/dev/null)" = "$state" ]; then
            exec 9>&-
            return
        fi
    done
    say "Installing gproxy${extra:+ and its $extra tools} into .venv ..."
    if ! .venv/bin/python -m pip install --disable-pip-version-check --root-user-action=ignore \
        --editable ".${extra:+[$extra]}" >.venv/install.log 2>&1; then
        cat .venv/install.log >&2
        say "Installing failed, see above."
        exit 1
    fi
    printf '%s\n' "$state" >".venv/.installed-${extra:-run}"
    exec 9>&-
}
