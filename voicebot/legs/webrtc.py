"""A call from a browser over WebRTC: sound both ways, keys, captions and the state of the call on a data channel.

aiortc owns the protocols (ICE, DTLS-SRTP, RTP, SCTP); this leg owns the clock. Every 20 ms it plays one frame of what
the bot says and hands over what has arrived from the visitor. The messages of the channel are in `docs/webrtc.md`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    sdp,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from voicebot.audio.sound import FRAME_MS, FRAME_SAMPLES, TELEPHONE_RATE_HZ, Samples
from voicebot.errors import VoicebotError
from voicebot.legs.leg import Caption, Frame, HungUp, KeyPress, Media, PlaybackEnded
from voicebot.legs.opus import hear_opus
from voicebot.legs.playback import Playback, Playout

PROTOCOL = "voicebot.v1"
"""Subprotocol of the data channel (RFC 8831, section 6.4); it names the version of the messages."""

PLAYED_RATE_HZ = 24_000
"""Rate of what the bot says: that of its voices."""

JITTER_MS = 200
"""Sound that is missing this long is silence; what comes sooner is heard late, but whole."""

_CATCH_UP_MS = 400
"""How far the sound may run ahead of the clock after it was missing; more is dropped."""

_MOST_CANDIDATES = 50
"""Most addresses in an offer: each of them is sent checks."""

_MOST_MESSAGE = 256
"""Longest message that a visitor may send, in characters."""

_MOST_WAITING = 1000
"""Keys are dropped while so much media waits to be heard."""

_KEYS = frozenset("0123456789*#")
_FAREWELL_S = 1.0
"""How long the browser has to take the last message and to close."""
_OPUS_CLOCK_HZ = 48_000
"""Of RTP timestamps (RFC 7587, section 4.1)."""
_OPUS_BIT_RATE = 32_000
_HANGOVER_FRAMES = 10
"""Silent frames that are sent behind a sound."""
_SILENCE_FRAMES = 20
"""Then one in so many is sent, each 400 ms as Opus itself does (DTX; RFC 6716, section 2.1.9)."""

Reason = Literal["completed", "going_down"]


class InvalidOffer(VoicebotError):
    """An offer that cannot become a call."""


class Dejitter:
    """Turns sound that arrives unevenly into frames of a steady clock, without cutting words apart.

    Sound is handed on as soon as it is there, several frames at a time after a gap. Only when nothing has come for
    `JITTER_MS` does silence take its place, and then for all of the time that has passed.
    """

    def __init__(self) -> None:
        self._arrived: deque[Samples] = deque()
        self._ticks = 0
        self._given = 0
        self._missing = 0

    def put(self, frame: Samples) -> None:
        """Take a frame of 20 ms that has arrived; what comes too late for the clock is dropped."""
        ahead = self._given + len(self._arrived) - self._ticks
        if ahead * FRAME_MS < _CATCH_UP_MS:
            self._arrived.append(frame)

    def tick(self) -> list[Samples]:
        """Let 20 ms pass; returns the frames that are to be heard now."""
        self._ticks += 1
        frames = list(self._arrived)
        self._arrived.clear()
        self._missing = 0 if frames else self._missing + 1
        if self._missing * FRAME_MS > JITTER_MS:
            frames = [np.zeros(FRAME_SAMPLES, np.int16)] * (self._ticks - self._given)
        self._given += len(frames)
        return frames


class BotVoice(MediaStreamTrack):
    """The track that aiortc sends: a packet of Opus each 20 ms, counted from the first one, and few of silence.

    It encodes here, one voice at 32 kbit/s; aiortc would send 96 kbit/s of stereo. "audio" at level 2 has libopus code
    by transform alone (CELT), which takes a quarter of the time that its linear prediction takes.
    """

    kind = "audio"

    def __init__(self, next_frame: Callable[[], Samples]) -> None:
        super().__init__()
        self._next_frame = next_frame
        self._began_s: float | None = None
        self._passed = 0
        self._silent = 0
        self._encoder = av.AudioCodecContext.create("libopus", "w")
        self._encoder.format, self._encoder.layout, self._encoder.sample_rate = "s16", "mono", PLAYED_RATE_HZ
        self._encoder.bit_rate = _OPUS_BIT_RATE
        self._encoder.options = {"application": "audio", "compression_level": "2", "frame_duration": str(FRAME_MS)}

    async def recv(self) -> av.Packet[av.AudioStream]:
        """The next packet that is due; waits for its time."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began_s is None:
            self._began_s = loop.time()
        while True:
            await asyncio.sleep(self._began_s + self._passed * FRAME_MS / 1000 - loop.time())
            samples = self._next_frame()
            self._passed += 1
            self._silent = 0 if samples.any() else self._silent + 1
            if self._silent <= _HANGOVER_FRAMES or self._silent % _SILENCE_FRAMES == 0:
                return self._encode(samples)

    def _encode(self, samples: Samples) -> av.Packet[av.AudioStream]:
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.sample_rate = PLAYED_RATE_HZ
        frame.planes[0].update(samples.tobytes())
        (packet,) = self._encoder.encode(frame)
        packet.time_base = Fraction(1, _OPUS_CLOCK_HZ)
        packet.pts = (self._passed - 1) * FRAME_MS * _OPUS_CLOCK_HZ // 1000
        return packet


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server with what it asks for."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class WebRtcLeg:
    """One visitor's peer connection. Whoever opens it calls `answer`, runs `carry` beside the call, and `close`s it."""

    channel = "browser"
    in_band_keys = False
    """Keys come over the data channel."""

    def __init__(self, ice_servers: Sequence[IceServer] = (), *, visitor: str = "", connect_s: float = 15.0) -> None:
        """Prepare the call.

        Args:
            ice_servers: used to be reached from outside.
            visitor: who calls, for limits.
            connect_s: how long the browser has to connect once it was answered.
        """
        self.visitor = visitor
        self._connect_s = connect_s
        self._playout = Playout(PLAYED_RATE_HZ)
        self._dejitter = Dejitter()
        self._media: asyncio.Queue[Media] = asyncio.Queue()
        self._now_ms = 0
        self._connected = asyncio.Event()
        self._over = asyncio.Event()
        self._microphone: MediaStreamTrack | None = None
        self._channel: RTCDataChannel | None = None
        self._unsent: deque[str] = deque(maxlen=100)
        self._state = ""
        servers = [RTCIceServer(list(s.urls), s.username, s.credential) for s in ice_servers]
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        voice = self._peer.addTransceiver(BotVoice(self._tick))
        hear_opus(voice.receiver, TELEPHONE_RATE_HZ, self._dejitter.put)
        opus = [codec for codec in RTCRtpSender.getCapabilities("audio").codecs if codec.mimeType == "audio/opus"]
        voice.setCodecPreferences(opus)  # every browser has it (RFC 7874, section 3)
        self._peer.on("track", self._on_track)
        self._peer.on("datachannel", self._on_channel)
        self._peer.on("connectionstatechange", self._on_connection_state)

    async def answer(self, offer: str) -> str:
        """The SDP answer to an SDP offer of one audio stream and a data channel, with all of its own candidates.

        Raises:
            InvalidOffer: it is not such an offer.
        """
        check_offer(offer)
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            await self._peer.setLocalDescription()
        except Exception as error:  # aiortc raises what it happens to stumble on: there is no list of its errors
            raise InvalidOffer(f"The offer cannot be answered ({type(error).__name__}): send a WebRTC offer.") from None
        return str(self._peer.localDescription.sdp)

    async def carry(self) -> None:
        """Take in the visitor's sound until the line is dead."""
        try:
            async with asyncio.timeout(self._connect_s):
                await self._connected.wait()
            if self._microphone is not None:
                await self._microphone.recv()  # which raises an error when the line is dead
            await self._over.wait()
        except (TimeoutError, MediaStreamError):
            self._end()

    @property
    def waiting(self) -> int:
        """What `receive` gives at once."""
        return self._media.qsize()

    async def receive(self) -> Media:
        """The next frame, key, end of playback or hang-up."""
        return await self._media.get()

    def play(self) -> Playback:
        """Begin to say something to the visitor."""
        return self._playout.begin()

    async def transfer(self, target: str) -> bool:
        """False: a browser has no way to take the visitor to a telephone."""
        return False

    async def hang_up(self, reason: Reason = "completed") -> None:
        """Tell the browser that the call is over, and let it close first, so that the message is not lost."""
        if self._over.is_set():
            return
        self._tell({"type": "ended", "reason": reason})
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._over.wait()
        except TimeoutError:
            self._end()

    async def close(self) -> None:
        """Leave nothing of the connection behind."""
        self._end()
        await self._peer.close()

    def show(self, caption: Caption) -> None:
        """Send a caption to the page."""
        self._tell(
            {
                "type": "caption",
                "turn": caption.turn,
                "speaker": caption.speaker,
                "text": caption.text,
                "final": caption.final,
            }
        )

    def _tick(self) -> Samples:
        """Let 20 ms pass: what is to be played now; what was heard goes to `receive`."""
        current = self._playout.current
        self._tell_state("speaking" if current is not None and not current.starved else "listening")
        played, ended = self._playout.next_frame()
        for samples in self._dejitter.tick():
            self._now_ms += FRAME_MS
            self._media.put_nowait(Frame(samples, self._now_ms, bot_speaking=current is not None))
        for playback in ended:
            self._media.put_nowait(PlaybackEnded(playback, self._now_ms))
        return played

    def _end(self) -> None:
        if not self._over.is_set():
            self._over.set()
            self._media.put_nowait(HungUp(self._now_ms))

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._microphone = track

    def _on_connection_state(self) -> None:
        match self._peer.connectionState:
            case "connected":
                self._connected.set()
            case "failed" | "closed":
                self._end()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is not None or channel.protocol != PROTOCOL:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._on_message)
        channel.on("close", self._end)
        while self._unsent:
            channel.send(self._unsent.popleft())

    def _on_message(self, message: str | bytes) -> None:
        match _parse(message):
            case {"type": "key", "key": str(key)} if key in _KEYS:
                if self._media.qsize() < _MOST_WAITING:
                    self._media.put_nowait(KeyPress(key, self._now_ms))
            case {"type": "hang_up"}:
                self._end()
            case _:
                self._tell({"type": "error", "detail": f"This is no message of {PROTOCOL}: see docs/webrtc.md."})

    def _tell_state(self, state: Literal["listening", "speaking"]) -> None:
        if state != self._state:
            self._state = state
            self._tell({"type": "state", "state": state})

    def _tell(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False)
        if self._channel is None:
            self._unsent.append(text)
        elif self._channel.readyState == "open":
            self._channel.send(text)


def check_offer(offer: str) -> None:
    """See that `offer` is SDP of one audio stream that can be answered, before anything is spent on it.

    Raises:
        InvalidOffer: it is not.
    """
    try:
        described = sdp.SessionDescription.parse(offer)
    except Exception:  # the parser raises what it happens to stumble on
        raise InvalidOffer("The offer is not SDP: send what createOffer() gave as application/sdp.") from None
    kinds = sorted(media.kind for media in described.media)
    if kinds not in (["audio"], ["application", "audio"]):
        raise InvalidOffer("The offer must hold one audio stream and at most one data channel: offer just these.")
    if any(media.dtls is None or media.ice is None or not media.ice.usernameFragment for media in described.media):
        raise InvalidOffer("The offer has no ICE parameters or no fingerprint: send a WebRTC offer.")
    if sum(len(media.ice_candidates) for media in described.media) > _MOST_CANDIDATES:
        raise InvalidOffer(f"The offer has more than {_MOST_CANDIDATES} candidates: send fewer.")


def _parse(message: str | bytes) -> object:
    if not isinstance(message, str) or len(message) > _MOST_MESSAGE:
        return None
    try:
        return json.loads(message)
    except ValueError:
        return None
