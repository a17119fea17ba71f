"""From a file's channels to what the models hear: the mono mix, the loudness, and who has a channel of their own.

Pure numpy; decoding is `pipeline.audio`'s.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from serve_app.pipeline.types import SAMPLE_RATE, Recording, Waveform

FRAME = SAMPLE_RATE // 10
"""100 ms: long enough to span a syllable, short enough to follow turns."""
CANCELS = 0.05
"""A mid signal with less than this share of the louder channel's energy means the channels cancel out (-13 dB)."""
AUDIBLE_DB = -60.0
QUIET_DB, TARGET_DB, MAX_GAIN_DB = -32.0, -23.0, 40.0
"""Speech below QUIET_DB is lifted to TARGET_DB, by MAX_GAIN_DB at most."""

_Levels = npt.NDArray[np.float64]


def to_recording(channels: Sequence[Waveform]) -> Recording:
    """Mix one or two channels of equal length, shape (samples,), to a recording at a usual loudness.

    The channels themselves are kept only where each carries a voice of its own.
    """
    if len(channels) == 2 and separate_speakers(channels[0], channels[1]):
        own = tuple(lift(channel) for channel in channels)
        return Recording(mix(own), own)
    return Recording(lift(mix(channels)))


def mix(channels: Sequence[Waveform]) -> Waveform:
    """Average the channels; where one is the other upside down, so that the average is silent, take the louder one."""
    if len(channels) == 1:
        return channels[0]
    mid: Waveform = np.asarray(np.mean(channels, axis=0, dtype=np.float32))
    loudest = max(channels, key=_energy)
    return loudest if _energy(mid) < CANCELS * _energy(loudest) else mid


def lift(samples: Waveform) -> Waveform:
    """Return quiet speech at a usual level, and everything else as it is.

    The level is the 95th percentile of 100 ms frames that can be heard at all: one click or one cough does not set it.
    """
    levels = frame_levels(samples)
    audible = levels[levels > -90]
    if not audible.size or not -85 < (level := float(np.percentile(audible, 95))) < QUIET_DB:
        return samples
    gain = 10 ** (min(TARGET_DB - level, MAX_GAIN_DB) / 20)
    lifted: Waveform = np.clip(samples * np.float32(gain), -1, 1)
    return lifted


def separate_speakers(left: Waveform, right: Waveform) -> bool:
    """Tell whether two channels carry a speaker each, as call recorders write them.

    Two microphones in one room hear the same talk, so their levels rise and fall together (correlation of levels near
    1) even where their waveforms differ by a delay; two ends of a call rise in turns (near or below 0). Each channel
    must also lead by 10 dB in at least 5 % of the audible frames, and one of them lead in most.
    """
    first, second = frame_levels(left), frame_levels(right)
    audible = np.maximum(first, second) > AUDIBLE_DB
    if np.count_nonzero(audible) < 20:  # 2 s
        return False
    first, second = np.maximum(first[audible], AUDIBLE_DB), np.maximum(second[audible], AUDIBLE_DB)
    leads = [float(np.mean(first - second > 10)), float(np.mean(second - first > 10))]
    return min(leads) > 0.05 and sum(leads) > 0.5 and _correlation(first, second) < 0.3


def frame_levels(samples: Waveform) -> _Levels:
    """RMS of each whole 100 ms frame in dBFS, shape (frames,), not below -120."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.einsum("ij,ij->i", frames, frames) / FRAME
    levels: _Levels = 10 * np.log10(np.maximum(power.astype(np.float64), 1e-12))
    return levels


def _correlation(first: _Levels, second: _Levels) -> float:
    spread = float(first.std() * second.std())
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / spread if spread > 1e-9 else 1.0


def _energy(samples: Waveform) -> float:
    return float(np.dot(samples, samples))
