"""A visitor without a browser: speaks recordings over WebRTC, each once the bot has asked, and notes what comes."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import httpx2
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from voicebot.audio.sound import Samples, Sound
from voicebot.legs.opus import hear_opus
from voicebot.legs.webrtc import PROTOCOL

RATE_HZ = 48_000
FRAME = RATE_HZ // 50
REACTION_S = 0.3
AUDIBLE = 300
"""Amplitude, of 32767, from which a frame of the bot counts as sound."""
SPEECH = 0.1
"""Level of a frame, as a part of the loudest one's, from which it counts as speech."""


@lru_cache(64)
def encoded(sound: Sound) -> list[tuple[bytes, bool]]:
    """`sound` as packets of Opus, and of each whether it is speech."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate, encoder.bit_rate = "s16", "mono", RATE_HZ, 32_000
    encoder.options = {"frame_duration": "20"}
    frames = list(sound.resampled(RATE_HZ).frames())
    levels = [float(np.std(samples)) for samples in frames]
    packets = []
    for samples, level in zip(frames, levels, strict=True):
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        packets += [(bytes(packet), level > SPEECH * max(levels)) for packet in encoder.encode(frame)]
    return packets


SILENT = encoded(Sound.silence(200, RATE_HZ))[-1]


class Microphone(MediaStreamTrack):
    """Silence, and what the visitor is told to say."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.packets: deque[tuple[bytes, bool]] = deque()
        self.spoke_until_s: float | None = None
        """When the last frame of speech was sent."""
        self._sent = 0
        self._began_s: float | None = None

    def say(self, sound: Sound) -> None:
        """Say it, behind what is being said."""
        self.packets.extend(encoded(sound))

    @property
    def speaking(self) -> bool:
        """Whether there is speech yet to be sent."""
        return any(speech for _, speech in self.packets)

    async def recv(self) -> av.Packet[Any]:
        """The next packet, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        now_s = asyncio.get_running_loop().time
        self._began_s = now_s() if self._began_s is None else self._began_s
        await asyncio.sleep(self._began_s + self._sent / 50 - now_s())
        opus, speech = self.packets.popleft() if self.packets else SILENT
        if speech:
            self.spoke_until_s = now_s()
        packet: av.Packet[Any] = av.Packet(opus)
        packet.time_base, packet.pts = Fraction(1, RATE_HZ), self._sent * FRAME
        self._sent += 1
        return packet


class Visitor:
    """One call. Run `listen` beside it, from the answer to `close`."""

    def __init__(self, utterances: Iterable[Sound] = (), configuration: RTCConfiguration | None = None) -> None:
        self.microphone = Microphone()
        self.messages: list[dict[str, Any]] = []
        self.delays_s: list[float] = []
        """For each answer: from the last frame of speech that was sent to the first audible one that came."""
        self.over = asyncio.Event()
        self.state = ""
        self._told = asyncio.Event()
        self._utterances = deque(utterances)
        self._heard: list[Samples] = []
        self._peer = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        self._arrived: asyncio.Queue[Samples | None] = asyncio.Queue()
        hear_opus(self._peer.addTransceiver(self.microphone).receiver, RATE_HZ, self._arrived.put_nowait)
        self._channel = self._peer.createDataChannel("call", protocol=PROTOCOL)
        self._channel.on("message", self._on_message)
        self._channel.on("close", self.over.set)
        self._peer.on("connectionstatechange", self._on_state)

    @property
    def heard(self) -> Sound:
        """All that came from the bot, without the pauses in which no packet did."""
        return Sound(np.concatenate(self._heard), RATE_HZ)

    def captions(self, speaker: str) -> list[str]:
        """The last text of each turn, in order."""
        turns = {m["turn"]: m["text"] for m in self.messages if m["type"] == "caption" and m["speaker"] == speaker}
        return [text for _, text in sorted(turns.items()) if text]

    async def ring(self, http: httpx2.AsyncClient) -> str:
        """Call the bot whose address `http` has; returns the address of the call."""
        token = (await http.post("/webrtc/token")).raise_for_status().json()["token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
        answer = await http.post("/webrtc/calls", content=await self.offer(), headers=headers)
        await self.accept(answer.raise_for_status().text)
        return str(answer.headers["location"])

    async def offer(self) -> str:
        """The SDP offer."""
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._peer.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Take the bot's SDP answer."""
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def press(self, keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.tell({"type": "key", "key": key})

    def tell(self, message: object) -> None:
        """Send a message over the data channel."""
        self._channel.send(message if isinstance(message, str) else json.dumps(message))

    async def until(self, happened: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait until a message makes `happened` true."""
        async with asyncio.timeout(timeout_s):
            while not happened():
                self._told.clear()
                await self._told.wait()

    def told(self, **wanted: object) -> bool:
        """Whether a message came in which all of `wanted` is so."""
        return any(wanted.items() <= message.items() for message in self.messages)

    async def listen(self) -> None:
        """Hear the bot and answer its questions, until the connection is closed."""
        waiting_since_s: float | None = None
        while (samples := await self._arrived.get()) is not None:
            self._heard.append(samples)
            now_s = asyncio.get_running_loop().time()
            if np.abs(samples).max() > AUDIBLE:
                waiting_since_s = None
                spoke = self.microphone.spoke_until_s
                if spoke is not None and not self.microphone.speaking:
                    self.delays_s.append(now_s - spoke)
                    self.microphone.spoke_until_s = None
            elif self.state == "listening" and self._utterances and not self.microphone.packets:
                waiting_since_s = now_s if waiting_since_s is None else waiting_since_s
                if now_s - waiting_since_s > REACTION_S and self.microphone.spoke_until_s is None:
                    self.microphone.say(self._utterances.popleft())
                    waiting_since_s = None

    async def close(self) -> None:
        """End the call; to be called once."""
        await self._peer.close()

    def _on_message(self, message: str) -> None:
        told = json.loads(message)
        self.messages.append(told)
        self._told.set()
        match told["type"]:
            case "state":
                self.state = told["state"]
            case "ended":
                self.over.set()

    def _on_state(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self.over.set()
            self._arrived.put_nowait(None)
