#!/bin/sh
# The Debian packages that the recipe of the acoustic model reads: voices, recordings, words, codecs. Installed as
# root; otherwise it says which are missing.
set -eu
wanted="espeak-ng festvox-ru ffmpeg tuxpaint-stamps-default wbulgarian asterisk-core-sounds-en-wav"
wanted="$wanted asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav asterisk-core-sounds-it-wav"
wanted="$wanted asterisk-core-sounds-ru-wav"
missing=""
for package in $wanted; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing:$missing. Install them as root: apt-get install$missing" >&2
    exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
