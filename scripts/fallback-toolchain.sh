# shellcheck shell=bash
# Compilers and emulators from Debian's packages, for machines whose rustup has no libraries for a target
# or that lack qemu. Sourced after lib.sh by the scripts that may need one, never run.
#
# Where rustup has every target, nothing here is used. What is fetched goes below $cache/debian, without
# root. Must not: print to stdout but the path that was asked for.

: "${cache:?lib.sh is to be sourced first}"
debian_rustc_version=1.96.0+dfsg1-1~deb12u2

# unpack_debian DIRECTORY PACKAGE[=VERSION]…: packages of Debian's and what they need that this system
# lacks, unpacked into a directory instead of installed: without root, beside any other version. Of
# PACKAGE:ARCHITECTURE, which may be another machine's, it is the package alone.
# Does nothing where the directory is there. Fails without a word.
unpack_debian() {
    local directory=$1 temporary package debs=() here=() there=()
    shift
    [[ -d $directory ]] && return
    { command -v apt-get && command -v dpkg-deb; } >/dev/null || return
    for package in "$@"; do
        if [[ $package == *:* ]]; then there+=("$package"); else here+=("$package"); fi
    done
    mkdir -p "${directory%/*}"
    temporary=$(mktemp -d "$directory.XXXXXX")
    # A subshell, so that whatever fails in it, the directory goes. `-e` would not end it: its status
    # is looked at.
    if ! (
        mkdir -p "$temporary"/{state/lists/partial,archives/partial,root} || exit
        cp /var/lib/dpkg/status "$temporary/status" || exit
        apt() {
            apt-get -o "Dir::State=$temporary/state" -o "Dir::State::status=$temporary/status" \
                -o "Dir::Cache=$temporary" -o "Dir::Log=$temporary" -o Acquire::Languages=none \
                -o APT::Architectures=amd64,arm64 -o "APT::Sandbox::User=$(id -un)" --quiet=2 "$@"
        }
        # A source that cannot be reached may be one that is not needed.
        apt update || true
        if ((${#here[@]} > 0)); then
            apt install --yes --no-install-recommends --download-only "${here[@]}" || exit
        fi
        cd -- "$temporary/archives" || exit
        for package in "${there[@]}"; do
            apt download "$package" || exit
        done
        debs=("$temporary"/archives/*.deb)
        for package in "${debs[@]}"; do
            dpkg-deb --extract "$package" "$temporary/root" || exit
        done
    ) >/dev/null 2>&1; then
        rm -rf "$temporary"
        return 1
    fi
    # Another script may have been as quick.
    mv -T "$temporary/root" "$directory" 2>/dev/null || [[ -d $directory ]] || return
    rm -rf "$temporary"
}

# find_debian_rustc WHAT: prints the path of Debian's compiler, for where rustup lacks a target; with the
# libraries for an architecture, as Debian calls it, or with the sources of them. Its version is
# another than the pinned toolchain's; security updates move it on.
find_debian_rustc() {
    local what=$1 pin=$debian_rustc_version std=libstd-rust-web-dev libraries minor
    minor=$(cut -d. -f1,2 <<<"$pin")
    libraries=$std:$what
    [[ $what == sources ]] && libraries=rust-web-src
    local directory=$cache/debian/rustc-$pin-$what newest=$cache/debian/rustc-instead-of-$pin-$what
    [[ -d $directory || -d $newest ]] ||
        say "Fetching Debian's compiler, with $libraries (once, about 150 MB)"
    if [[ -d $newest ]] || ! unpack_debian "$directory" "rustc-web=$pin" "$std=$pin" \
        "libstd-rust-web-$minor=$pin" "$libraries=$pin"; then
        # Better an unpinned compiler than none; but its binaries are others.
        unpack_debian "$newest" rustc-web "$libraries" || return
        say "warning: rustc-web $pin cannot be had any more. The newest one builds what nobody else" \
            "has; to fix that, pin it in scripts/fallback-toolchain.sh (debian_rustc_version)"
        directory=$newest
    fi
    # Its own libraries for itself alone: for whatever it runs they may be the wrong ones.
    libraries=$directory/usr/lib/$(uname -m)-linux-gnu
    printf '#!/usr/bin/env bash\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
        "$libraries" "$directory/usr/bin/rustc" >"$directory/rustc.$$"
    chmod +x "$directory/rustc.$$"
    # cargo looks at its time: an older one stays.
    if cmp --silent "$directory/rustc.$$" "$directory/rustc"; then
        rm "$directory/rustc.$$"
    else
        mv -f "$directory/rustc.$$" "$directory/rustc"
    fi
    printf '%s\n' "$directory/rustc"
}

# Prints the command that runs a program for arm64 here, with its arguments; nothing on such a machine.
find_arm64_emulator() {
    local qemu sysroot=/usr/aarch64-linux-gnu unpacked=$cache/debian/qemu
    [[ $(uname -m) =~ ^(aarch64|arm64)$ ]] && return
    if ! qemu=$(command -v qemu-aarch64-static) || [[ ! -e $sysroot/lib/ld-linux-aarch64.so.1 ]]; then
        [[ -d $unpacked ]] || say "Fetching qemu and the C library for arm64 (once)"
        unpack_debian "$unpacked" qemu-user-static libc6-arm64-cross ||
            die "no qemu-aarch64-static: install Debian's qemu-user-static and libc6-arm64-cross"
        qemu=$unpacked/usr/bin/qemu-aarch64-static
        sysroot=$unpacked/usr/aarch64-linux-gnu
    fi
    printf "'%s' -L '%s'\n" "$qemu" "$sysroot"
}
