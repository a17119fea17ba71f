"""Frames to samples: what a decoder gives, resampled to one rate, with pauses where the time stamps jump."""

import av
import numpy as np
from av.audio.frame import AudioFrame

from serve_app.errors import MediaTooLong, MediaTooShort, MediaUnreadable
from serve_app.pipeline.types import SAMPLE_RATE, Waveform

MIN_DURATION_S = 0.5
"""Shorter than any answer."""
MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_CHANNELS = 32
MAX_GAP_S = 600.0
"""Silence that a jump in time stamps may stand for; a longer jump is a lie or a restarted clock."""
MIN_GAP_S = 0.1
"""Smaller jumps are rounding: matroska keeps milliseconds, some muxers less."""
TOLERANCE_S = 1.0
"""How far encoder padding may carry a recording beyond the longest one accepted."""


def gap_s(stamp_s: float | None, position_s: float) -> float:
    """Seconds of silence between what was heard so far and a time stamp."""
    if stamp_s is None or not MIN_GAP_S < stamp_s - position_s < MAX_GAP_S:
        return 0.0
    return stamp_s - position_s


class Collector:
    """Resampled audio of a growing recording, at most two channels of it."""

    def __init__(self, tick_s: float, origin_s: float, max_duration_s: float) -> None:
        self._tick_s, self._origin_s = tick_s, origin_s
        self._limit_s = max_duration_s + TOLERANCE_S
        self._heard_s = 0.0
        self._shape: tuple[object, ...] | None = None
        self._blocks: list[Waveform] = []  # each (channels, samples)
        self._resampler = av.AudioResampler()
        self._waiting = av.AudioFifo()

    def add(self, frame: AudioFrame) -> None:
        """Take the next frame. Raises `MediaTooLong`, and `MediaUnreadable` on an absurd one."""
        stamp_s = None if frame.pts is None else frame.pts * self._tick_s - self._origin_s
        silence_s = gap_s(stamp_s, self._heard_s)
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if silence_s or shape != self._shape:
            self._restart(frame, shape)
            self._keep(np.zeros((1, int(silence_s * SAMPLE_RATE)), np.float32))
        self._heard_s += silence_s + frame.samples / frame.sample_rate
        if self._heard_s > self._limit_s:
            raise MediaTooLong
        frame.pts = None  # gaps are filled above; the resampler need not follow the stamps
        self._waiting.write(frame)
        if self._waiting.samples >= frame.sample_rate:  # 1 s: frame by frame the resampler costs twice as much
            self._resample(self._waiting.read())

    def finish(self) -> list[Waveform]:
        """Return one or two channels, shape (samples,) each. Raises `MediaTooShort`, `MediaUnreadable` when empty."""
        self._flush()
        count = sum(block.shape[1] for block in self._blocks)
        if not count:
            raise MediaUnreadable
        if count < MIN_DURATION_S * SAMPLE_RATE:
            raise MediaTooShort
        width = max(len(block) for block in self._blocks)
        return [np.concatenate([block[min(i, len(block) - 1)] for block in self._blocks]) for i in range(width)]

    def _restart(self, frame: AudioFrame, shape: tuple[object, ...]) -> None:
        """Begin a new stretch: chained and broken streams change their format midway, and silence falls in between."""
        if not MIN_RATE <= frame.sample_rate <= MAX_RATE or len(frame.layout.channels) > MAX_CHANNELS:
            raise MediaUnreadable
        self._flush()
        self._shape, self._waiting = shape, av.AudioFifo()
        # blocks of 1 s: piece by piece, Opus frames of 20 ms cost as much in Python as in the decoder
        self._resampler = av.AudioResampler("fltp", frame.layout, SAMPLE_RATE, frame_size=SAMPLE_RATE)

    def _flush(self) -> None:
        if self._shape is None:
            return
        if self._waiting.samples:
            self._resample(self._waiting.read())
        self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._keep(piece.to_ndarray().astype(np.float32, copy=False))

    def _keep(self, block: Waveform) -> None:
        if len(block) > 2:  # surround: libav's own downmix is for listening and lowers the centre, where speech is
            block = block.mean(axis=0, keepdims=True)
        self._blocks.append(np.clip(np.nan_to_num(block), -1, 1))
