#!/bin/sh
# What the recipe of the acoustic model reads: Debian packages with voices, recordings, words and codecs, installed as
# root (otherwise it says which are missing), and the styles of the npm package kokoro-js, unpacked into the folder $1.
set -eu
wanted="espeak-ng festvox-ru ffmpeg fillets-ng-data fillets-ng-data-cs fillets-ng-data-nl klettres-data"
wanted="$wanted tuxpaint-stamps-default wbulgarian"
for language in en es fr it ru; do
    wanted="$wanted asterisk-core-sounds-$language asterisk-core-sounds-$language-wav"
done
command -v npm >/dev/null || wanted="$wanted npm"
missing=""
for package in $wanted; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ] && [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing:$missing. Install them as root: apt-get install$missing" >&2
    exit 1
fi
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
styles=${1:?"usage: $0 FOLDER (for the styles of the npm package kokoro-js)"}
[ -d "$styles/package/voices" ] && exit 0
mkdir -p "$styles"
cd "$styles"
tar xzf "$(npm pack --silent kokoro-js@1.2.1)"
