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
_MOST_HELD_PACKETS = 4
"""Packets of 20 ms that wait for one that is missing; a power of two."""
_MOST_LOST_MS = 200
"""A longer gap is a pause of the sender's."""


class _Ear(JitterBuffer):
    """A jitter buffer whose packets go no further: it decodes them itself.

    It hands on each packet once the next is there and gives a lost one up after 80 ms; aiortc's own holds four packets
    back, and from the first lost one on sixteen (320 ms). aiortc would decode in a thread for each call: then the event
    loop waits twice a packet until it may go on, for longer than decoding takes.
    """

    def __init__(self, rate_hz: int, hear: Callable[[Samples], None]) -> None:
        super().__init__(capacity=_MOST_HELD_PACKETS, prefetch=1)
        self._hear = hear
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._resampler = av.AudioResampler("s16", "mono", rate_hz, self._frame_samples)
        self._decoder = av.AudioCodecContext.create("libopus", "r")
        self._decoder.format, self._decoder.layout, self._decoder.sample_rate = "s16", "mono", _CLOCK_HZ
        self._expected: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        _, encoded = super().add(packet)
        if encoded is not None:
            self._decode(encoded)
        return False, None

    def _decode(self, encoded: JitterFrame) -> None:
        lost_ms = 0 if self._expected is None else (encoded.timestamp - self._expected) % _WRAP * 1000 // _CLOCK_HZ
        if lost_ms <= _MOST_LOST_MS:
            for _ in range(lost_ms // FRAME_MS):
                self._hear(np.zeros(self._frame_samples, np.int16))
        self._expected = encoded.timestamp
        try:
            decoded = self._decoder.decode(av.Packet(encoded.data))
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
