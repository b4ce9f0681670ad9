#!/bin/sh
# Fetches $BACKSTOP_URL to $BACKSTOP_FILE, where it is only put if its checksum is $BACKSTOP_SHA256.
set -eu

checksum_is_right() {
    if command -v sha256sum >/dev/null; then
        printf '%s  %s\n' "$BACKSTOP_SHA256" "$1" | sha256sum -c - >/dev/null 2>&1
    else
        printf '%s  %s\n' "$BACKSTOP_SHA256" "$1" | shasum -a 256 -c - >/dev/null 2>&1
    fi
}

if [ -f "$BACKSTOP_FILE" ] && checksum_is_right "$BACKSTOP_FILE"; then
    exit
fi
mkdir -p "$(dirname "$BACKSTOP_FILE")"
# Another module may fetch the same file at the same time.
part=$BACKSTOP_FILE.$$
trap 'rm -f "$part"' EXIT
curl --fail --silent --show-error --location --proto-redir '=https' --retry 3 --output "$part" "$BACKSTOP_URL"
if ! checksum_is_right "$part"; then
    echo "error: what $BACKSTOP_URL has is not the file with the sha256 $BACKSTOP_SHA256: nothing is published" >&2
    exit 1
fi
mv "$part" "$BACKSTOP_FILE"
