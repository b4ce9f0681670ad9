# shellcheck shell=bash
# Cross compilation with zig, for what is shipped: the layers' binaries and the command line. Sourced after
# lib.sh and fallback-toolchain.sh, never run.
#
# The same commit gives the same bytes wherever it is built, with the same compilers. Must not: print to
# stdout but what was asked for.

: "${tools:?lib.sh must be sourced first}" "${cache:?}" "${ziglang_version:?}"

zig=$(find_zig) || die "zig $ziglang_version cannot be installed: it takes python3 with venv, and PyPI"

# target ARCH LIBC: the name that the compiler has for it.
target() {
    local machine=$1
    [[ $machine == arm64 ]] && machine=aarch64
    printf '%s\n' "$machine-unknown-linux-$2"
}

# has_target TARGET: whether the toolchain can build for it; rustup is asked for what is missing.
has_target() {
    local libraries
    libraries=$(rustc --print target-libdir --target "$1")
    [[ -d $libraries ]] && return
    command -v rustup >/dev/null || return
    say "Installing $1 for the toolchain (once)"
    timeout 600 rustup target add "$1" >/dev/null 2>&1 && [[ -d $libraries ]]
}

# compiler ARCH LIBC: prints the path of the compiler for it.
compiler() {
    local arch=$1 libc=$2 target
    target=$(target "$arch" "$libc")
    if has_target "$target"; then
        # The compiler itself, not rustup's proxy: a checkout decides which compiler the proxy runs.
        printf '%s\n' "$(rustc --print sysroot)/bin/rustc"
        return
    fi
    local what=$arch
    [[ $arch == x86_64 ]] && what=amd64
    # Debian has no library for musl, but cargo can build it from the sources.
    [[ $libc == musl ]] && what=sources
    find_debian_rustc "$what" || die "rustup cannot install $target for the toolchain,
    and this system's packages hold no rustc-web to use instead: install rustup, or build on Debian 12"
}

# compile CHECKOUT TARGET_DIR ARCH LIBC RUSTC PROFILE GLIBC PACKAGE…: builds the binaries that are named
# like their packages, which then lie in TARGET_DIR/TARGET/PROFILE.
compile() {
    local checkout=$1 target_dir=$2 arch=$3 libc=$4 rustc=$5 profile=$6 glibc=$7 target suffix="" flags
    shift 7
    target=$(target "$arch" "$libc")
    [[ $libc == gnu ]] && suffix=.$glibc
    # Panics would name paths of this machine, so none goes into the binary. If two prefixes match, the
    # last one applies. rustc names its own sources by commit, unless they are installed.
    local registry commit
    commit=$("$rustc" -vV | sed -n 's/^commit-hash: //p')
    flags=("--remap-path-prefix=$checkout=/backstop")
    for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        flags+=("--remap-path-prefix=$registry=/registry")
    done
    flags+=("--remap-path-prefix=$target_dir=/target"
        "--remap-path-prefix=$("$rustc" --print sysroot)/lib/rustlib/src/rust=/rustc/$commit")
    # Static alone would be at a fixed address.
    [[ $libc == musl ]] && flags+=(-Clink-arg=-pie)
    local options=(--locked --profile "$profile") bootstrap="" package
    for package in "$@"; do
        options+=(--package "$package" --bin "$package")
    done
    if [[ ! -d $("$rustc" --print target-libdir --target "$target") ]]; then
        # The library must be built too. Only a nightly compiler does that, or one with RUSTC_BOOTSTRAP.
        # zig brings musl and the start files that rustc's own target would bring.
        bootstrap=1
        options+=("-Zbuild-std=std,panic_abort")
        flags+=(-Clink-self-contained=no -Ctarget-feature=+crt-static)
    fi
    say "Building $* for $target with $("$rustc" --version)"
    # Flags of the user would make another binary.
    (
        cd -- "$checkout" || exit
        unset CFLAGS TARGET_CFLAGS CPPFLAGS LDFLAGS RUSTFLAGS RUSTC_WRAPPER RUSTC_BOOTSTRAP
        # mimalloc names the day on which it was built: the same one for all, and zig shall not refuse it.
        export SOURCE_DATE_EPOCH=0 CFLAGS=-Wno-date-time
        [[ -z $bootstrap ]] || export RUSTC_BOOTSTRAP=1
        export RUSTC=$rustc CARGO_INCREMENTAL=0 CARGO_ZIGBUILD_ZIG_PATH=$zig
        export CARGO_ZIGBUILD_CACHE_DIR=$cache/zig ZIG_GLOBAL_CACHE_DIR=$cache/zig
        CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' "${flags[@]}")
        export CARGO_ENCODED_RUSTFLAGS=${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}
        "$tools/bin/cargo-zigbuild" zigbuild "${options[@]}" --target "$target$suffix" \
            --target-dir "$target_dir" >&2
    ) || die "$* cannot be built for $target"
}

# list CHECKOUT ARCH LIBC RUSTC PACKAGE BINARY: prints what the binary is made of.
list() {
    local checkout=$1 arch=$2 libc=$3 rustc=$4 package=$5 binary=$6 target
    target=$(target "$arch" "$libc")
    (
        cd -- "$checkout" || exit
        # A macro's crate runs in the compiler, and is no part of the binary.
        RUSTC=$rustc cargo tree --locked --package "$package" --edges normal,no-proc-macro \
            --target "$target" --prefix depth --format '|{p}|{l}|{r}' |
            scripts/sbom "$binary" "target=$target" "rustc=$("$rustc" --version | cut -d' ' -f2-)" \
                "zig=$ziglang_version"
    )
}
