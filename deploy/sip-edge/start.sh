#!/bin/sh
# Starts, on one machine and its loopback interface, kamailio and rtpengine in front of as many bots as it is told (2);
# stops all of them when it is stopped. Ring sip:bot@127.0.0.10. Needs Debian's kamailio and rtpengine-daemon.
#   sh deploy/sip-edge/start.sh [NUMBER] [FOLDER]
set -eu
bots=${1:-2}
folder=$(mkdir -p "${2:-build/sip-edge}" && cd "${2:-build/sip-edge}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
voicebot=${VOICEBOT:-$here/../../.venv/bin/voicebot}
edge=127.0.0.10
missing=""
command -v kamailio >/dev/null || missing="$missing kamailio"
command -v rtpengine >/dev/null || missing="$missing rtpengine-daemon"
if [ -n "$missing" ]; then
    echo "These Debian packages are missing:$missing. Install them as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
pids=""
stop() {
    trap - EXIT INT TERM
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait
}
trap stop EXIT
trap 'exit 0' INT TERM

rtpengine --foreground --table=-1 --interface="$edge" --listen-ng="$edge:2223" --port-min=30000 --port-max=39999 \
    --log-stderr --log-level=3 2>"$folder/rtpengine.log" &
pids="$pids $!"

: >"$folder/dispatcher.list"
for i in $(seq "$bots"); do
    address=127.0.0.1:$((5070 + 10 * i))
    echo "1 sip:$address" >>"$folder/dispatcher.list"
    VOICEBOT_SIP__LISTEN=$address VOICEBOT_WEB__LISTEN=127.0.0.1:$((8080 + i)) VOICEBOT_SIP__ALLOW="[\"$edge/32\"]" \
        VOICEBOT_SIP__RTP_PORTS="[$((10000 + 2000 * i)), $((11998 + 2000 * i))]" \
        VOICEBOT_LOGS__JSON_LINES=true "$voicebot" serve 2>"$folder/bot-$i.log" &
    echo $! >"$folder/bot-$i.pid"
    pids="$pids $!"
done
sleep 2 # kamailio asks rtpengine once whether it is there
sed "s|EDGE|$edge:5060|; s|RTPENGINE|$edge:2223|; s|FOLDER|$folder|" "$here/kamailio.cfg" >"$folder/kamailio.cfg"
kamailio -DD -E -f "$folder/kamailio.cfg" -w "$folder" -Y "$folder" -P "$folder/kamailio.pid" 2>"$folder/kamailio.log" &
pids="$pids $!"
echo "The edge listens at sip:bot@$edge; logs and process ids are in $folder."
wait
