"""Opus that arrives over RTP, decoded where aiortc receives it."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from voicebot.audio.sound import FRAME_MS, Samples

_CLOCK_HZ = 48_000
"""Of RTP timestamps (RFC 7587, section 4.1)."""
_WRAP = 1 << 32
_SEQUENCE = 1 << 16
"""Of RTP sequence numbers."""
_MOST_EARLY = 4
"""Packets of 20 ms that wait for one that is missing."""
_MOST_BEHIND = 100
"""A packet that is older than this begins a new sequence (RFC 3550, appendix A.1, `MAX_MISORDER`)."""
_MOST_LOST_MS = 200
"""A longer gap is a pause of the sender's, which whoever has a clock fills (`webrtc.Dejitter`)."""


class _Ear(JitterBuffer):
    """Takes the place of aiortc's jitter buffer; packets go no further, because it decodes them itself.

    What comes in order is heard at once, and 80 ms are waited for what is missing; aiortc's own holds four packets
    back, and from the first lost one on sixteen (320 ms). aiortc would decode in a thread for each call: then the
    event loop waits twice a packet until it may go on, for longer than decoding takes.
    """

    def __init__(self, rate_hz: int, hear: Callable[[Samples], None]) -> None:
        super().__init__(capacity=1)
        self._hear = hear
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._resampler = av.AudioResampler("s16", "mono", rate_hz, self._frame_samples)
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.format, self._decoder.layout, self._decoder.sample_rate = "s16", "mono", _CLOCK_HZ
        self._next: int | None = None
        self._early: dict[int, RtpPacket] = {}
        self._expected: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        if self._next is None:
            self._next = packet.sequence_number
        behind = (self._next - packet.sequence_number) % _SEQUENCE
        if 0 < behind < _MOST_BEHIND:
            return False, None
        if 0 < behind < _SEQUENCE // 2:
            self._next = packet.sequence_number
            self._early.clear()
        self._early[packet.sequence_number] = packet
        if len(self._early) > _MOST_EARLY:
            self._next = (self._next + min((number - self._next) % _SEQUENCE for number in self._early)) % _SEQUENCE
        while (due := self._early.pop(self._next, None)) is not None:
            self._next = (self._next + 1) % _SEQUENCE
            self._decode(due)
        return False, None

    def _decode(self, packet: RtpPacket) -> None:
        lost_ms = 0 if self._expected is None else (packet.timestamp - self._expected) % _WRAP * 1000 // _CLOCK_HZ
        if lost_ms <= _MOST_LOST_MS:
            for _ in range(lost_ms // FRAME_MS):
                self._hear(np.zeros(self._frame_samples, np.int16))
        self._expected = packet.timestamp
        if not packet.payload:
            return
        try:
            decoded = self._decoder.decode(av.Packet(packet.payload))
        except av.FFmpegError:
            return
        for frame in decoded:
            self._expected = (self._expected + frame.samples) % _WRAP
            frame.pts = None
            for piece in self._resampler.resample(frame):
                self._hear(np.frombuffer(bytes(piece.planes[0]), np.int16, piece.samples))


def hear_opus(receiver: RTCRtpReceiver, rate_hz: int, hear: Callable[[Samples], None]) -> None:
    """Give `hear` what `receiver` gets, in frames of 20 ms at `rate_hz`, in which lost packets are silence.

    Its track then gives no frames; it ends with the connection.
    """
    held = "_RTCRtpReceiver__jitter_buffer"
    assert isinstance(getattr(receiver, held, None), JitterBuffer), "this version of aiortc keeps its buffer elsewhere"
    setattr(receiver, held, _Ear(rate_hz, hear))
