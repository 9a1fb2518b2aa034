#!/bin/sh
# What the sets of recordings are made from: Debian packages, installed as root (otherwise it says which are missing);
# prompts that are unpacked only, because installed they push out those that training reads; Kokoro's styles from npm.
# The argument is the folder for what is not installed, such as build.
set -eu
folder=${1:?which folder}
wanted="festival festival-czech festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph ffmpeg"
wanted="$wanted asterisk-moh-opsound-wav hedgewars-data wbulgarian npm"
missing=""
for package in $wanted; do
    case $package in
        npm) command -v npm >/dev/null || missing="$missing npm" ;;
        *) dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "These Debian packages are missing:$missing. Install them as root: apt-get install$missing" >&2
        exit 1
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
mkdir -p "$folder/debian"
for package in asterisk-prompt-es-co asterisk-prompt-fr-armelle; do
    [ -d "$folder/debian/usr/share/doc/$package" ] && continue
    (cd "$folder/debian" && apt-get download -qq "$package" && dpkg-deb -x "$package"_*.deb .)
done
if [ ! -d "$folder/kokoro-js/voices" ]; then
    mkdir -p "$folder/kokoro-js"
    (cd "$folder" && npm pack --silent kokoro-js@1.2.1)
    tar -xzf "$folder/kokoro-js-1.2.1.tgz" -C "$folder/kokoro-js" --strip-components=1
fi
