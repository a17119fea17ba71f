"""Frames to samples: decoded frames at one sample rate, and the gaps that the time stamps leave between them."""

from itertools import chain

import av
import numpy as np
from av.audio.frame import AudioFrame

from serve_app.errors import MediaTooLong, MediaTooShort, MediaUnreadable
from serve_app.pipeline.mixdown import mix
from serve_app.pipeline.types import SAMPLE_RATE, Waveform

MIN_DURATION_S = 0.5
"""Shorter than any answer."""
MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_CHANNELS = 32
MAX_GAP_S = 600.0
"""Longest silence that a jump in time stamps may stand for; a longer jump is an error or a restarted clock."""
MIN_GAP_S = 0.1
"""Smaller jumps are rounding: matroska keeps milliseconds, some muxers less."""
TOLERANCE_S = 1.0
"""How far encoder padding may carry a recording beyond the longest one accepted."""
MAX_JUMPING, MIN_BLOCKS = 0.9, 10
"""Stamps of which more than this share jump are not those of the sound; judged from MIN_BLOCKS blocks on."""
MAX_BACK_S = 1.0
"""A clock that goes back further was restarted: its gaps mean nothing."""


def check_length(duration_s: float, max_duration_s: float | None) -> None:
    """Raise `MediaTooLong` where a recording is longer than the limit."""
    if max_duration_s is not None and duration_s >= max_duration_s + TOLERANCE_S:
        raise MediaTooLong(
            f"The recording is longer than {max_duration_s / 60:g} minutes, the limit of this product: it has at least "
            f"{duration_s / 60:.1f} minutes ({duration_s:.1f} s). Send a shorter one, or parts of it."
        )


class Timeline:
    """Where blocks of sound lie in time.

    Time stamps are believed only together: broken ones jump at nearly every block, many times a second or back, and
    would turn seconds of sound into an hour of silence.
    """

    def __init__(self, origin_s: float, *, stamped: bool, pauses: bool = False) -> None:
        """`origin_s` is the stamp of 0:00. `stamped`: use stamps. `pauses`: the codec sends nothing in pauses."""
        self._origin_s, self._stamped, self._pauses = origin_s, stamped, pauses
        self.sound_s = 0.0
        self._gaps: list[tuple[float, float]] = []
        self._gap_s = 0.0
        self._blocks = 0
        self._went_back = False

    def add(self, stamp_s: float | None, length_s: float) -> None:
        """Add a block of sound of `length_s` seconds that the container places at `stamp_s`."""
        self._blocks += 1
        if self._stamped and stamp_s is not None:
            jump_s = stamp_s - self._origin_s - self.sound_s - self._gap_s
            self._went_back |= jump_s < -MAX_BACK_S
            if MIN_GAP_S < jump_s < MAX_GAP_S:
                self._gaps.append((self.sound_s, jump_s))
                self._gap_s += jump_s
        self.sound_s += length_s

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """The gaps to believe, in order: seconds of sound before the gap, and its own length in seconds."""
        count = len(self._gaps)
        jumps_always = self._blocks >= MIN_BLOCKS and count > MAX_JUMPING * self._blocks
        jumps_often = not self._pauses and count > max(1.0, self.sound_s)
        return [] if self._went_back or jumps_always or jumps_often else self._gaps

    @property
    def duration_s(self) -> float:
        """Length in seconds, sound and gaps."""
        return self.sound_s + sum(gap_s for _, gap_s in self.gaps)


class Collector:
    """Resampled audio of a growing recording. Formats may change midway."""

    def __init__(self, channels: int, max_duration_s: float) -> None:
        """`channels`: how many to keep. More are mixed; 0 keeps no samples."""
        self._channels, self._max_duration_s = channels, max_duration_s
        self._sound_s = 0.0
        self._shape: tuple[object, ...] | None = None
        self._blocks: list[Waveform] = []  # each (channels, samples)
        self._resampler = av.AudioResampler()
        self._waiting = av.AudioFifo()

    def add(self, frame: AudioFrame) -> None:
        """Add the next frame. Raises `MediaTooLong`, and `MediaUnreadable` on an absurd one."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            self._restart(frame, shape)
        self._sound_s += frame.samples / frame.sample_rate
        check_length(self._sound_s, self._max_duration_s)
        frame.pts = None  # gaps are filled at the end; the resampler must not follow the stamps
        self._waiting.write(frame)
        if self._waiting.samples >= frame.sample_rate:  # 1 s: frame by frame the resampler costs twice as much
            self._resample(self._waiting.read())

    def finish(self, gaps: list[tuple[float, float]]) -> Waveform:
        """Return the sound, shape (channels, samples), with silence in the gaps; (1, 0) where there is none."""
        self._flush()
        width = max((len(block) for block in self._blocks), default=1)
        sound = np.empty((width, sum(block.shape[1] for block in self._blocks)), np.float32)
        end = sound.shape[1]
        while self._blocks:  # from the last one: each is freed at once
            block = self._blocks.pop()
            sound[:, end - block.shape[1] : end] = block
            end -= block.shape[1]
        if not self._channels or not gaps:
            return sound
        first, *later = np.split(sound, [round(at_s * SAMPLE_RATE) for at_s, _ in gaps], axis=1)
        silences = [np.zeros((width, round(gap_s * SAMPLE_RATE)), np.float32) for _, gap_s in gaps]
        return np.concatenate([first, *chain.from_iterable(zip(silences, later, strict=True))], axis=1)

    def _restart(self, frame: AudioFrame, shape: tuple[object, ...]) -> None:
        """Begin a new stretch: chained and broken streams change their format midway."""
        if not MIN_RATE <= frame.sample_rate <= MAX_RATE or len(frame.layout.channels) > MAX_CHANNELS:
            raise MediaUnreadable
        self._flush()
        self._shape, self._waiting = shape, av.AudioFifo()
        # blocks of 1 s: piece by piece, Opus frames of 20 ms cost as much in Python as in the decoder.
        # Samples of all channels together: reading 8 or more planes of a frame crashes the process (PyAV 18.1).
        self._resampler = av.AudioResampler("flt", frame.layout, SAMPLE_RATE, frame_size=SAMPLE_RATE)

    def _flush(self) -> None:
        if self._shape is None:
            return
        if self._waiting.samples:
            self._resample(self._waiting.read())
        self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._keep(piece.to_ndarray().astype(np.float32, copy=False).reshape(-1, piece.layout.nb_channels).T)

    def _keep(self, block: Waveform) -> None:
        if not self._channels:
            return
        block = np.clip(block if np.isfinite(block).all() else np.nan_to_num(block), -1, 1)
        if len(block) > self._channels:  # libav's own downmix is for music and lowers the centre, where speech is
            block = mix(block)[np.newaxis]
        self._blocks.append(block)


def check_audible_length(sound_s: float) -> None:
    """Raise `MediaUnreadable` where nothing could be decoded, `MediaTooShort` below MIN_DURATION_S."""
    if not sound_s:
        raise MediaUnreadable
    if sound_s < MIN_DURATION_S:
        raise MediaTooShort(f"The recording is {sound_s:.2f} s long; at least {MIN_DURATION_S} s are needed.")
