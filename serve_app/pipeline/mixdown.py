"""Mix a recording's channels to mono at a usual loudness, and keep channels that hold one speaker each.

Pure numpy; decoding is in `pipeline.audio`.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from serve_app.pipeline.types import SAMPLE_RATE, Recording, Waveform

FRAME = SAMPLE_RATE // 10
"""100 ms: long enough to span a syllable, short enough to follow turns."""
CANCELS = -0.5
"""Two channels whose correlation in a second is below this cancel each other in the mix; the louder one is kept."""
AUDIBLE_DB = -60.0
QUIET_DB, TARGET_DB, MAX_GAIN_DB = -32.0, -23.0, 40.0
"""Speech below QUIET_DB is amplified to TARGET_DB, by MAX_GAIN_DB at most."""

Levels = npt.NDArray[np.float64]


def to_recording(channels: Waveform | Sequence[Waveform]) -> Recording:
    """Mix channels of equal length, shape (channels, samples), to a recording at a usual loudness.

    The channels themselves are kept only where each holds a speaker of its own.
    """
    levels = [frame_levels(channel) for channel in channels]
    if len(levels) > 1 and all(separate_speakers(*pair) for pair in combinations(levels, 2)):
        own = tuple(lift(channel) for channel in channels)
        return Recording(mix(own), own)
    return Recording(lift(mix(channels)))


def mix(channels: Waveform | Sequence[Waveform]) -> Waveform:
    """Average the channels, second by second, without those that would cancel a louder one."""
    if len(channels) == 1:
        return channels[0]
    mixed = np.empty_like(channels[0])
    for start in range(0, len(mixed), SAMPLE_RATE):
        second = np.stack([channel[start : start + SAMPLE_RATE] for channel in channels])
        mixed[start : start + SAMPLE_RATE] = second[_kept(second)].mean(axis=0)
    return mixed


def _kept(channels: Waveform) -> list[int]:
    """Indices of the channels that go into the mix, the loudest one first."""
    products = channels @ channels.T
    energy = np.maximum(np.diag(products), 1e-12)
    correlation = products / np.sqrt(np.outer(energy, energy))
    kept: list[int] = []
    for index in np.argsort(-energy, kind="stable").tolist():
        if all(correlation[index, other] >= CANCELS for other in kept):
            kept.append(index)
    return kept


def lift(samples: Waveform) -> Waveform:
    """Amplify quiet speech to a usual level; return everything else unchanged.

    The level is the 95th percentile of the 100 ms frames above -90 dBFS, so a single click or cough does not set it.
    """
    levels = frame_levels(samples)
    audible = levels[levels > -90]
    if not audible.size or not -85 < (level := float(np.percentile(audible, 95))) < QUIET_DB:
        return samples
    gain = 10 ** (min(TARGET_DB - level, MAX_GAIN_DB) / 20)
    lifted: Waveform = np.clip(samples * np.float32(gain), -1, 1)
    return lifted


def separate_speakers(first: Levels, second: Levels) -> bool:
    """Tell from the frame levels of two channels whether they hold one speaker each, as call recorders write them.

    Two microphones in one room pick up the same speech, so their levels rise and fall together (correlation near 1)
    even where their waveforms differ by a delay. The two ends of a call alternate (near or below 0). Each channel must
    also lead by 10 dB in at least 5 % of the audible frames, and one of them must lead in most.
    """
    audible = np.maximum(first, second) > AUDIBLE_DB
    if np.count_nonzero(audible) < 20:  # 2 s
        return False
    first, second = np.maximum(first[audible], AUDIBLE_DB), np.maximum(second[audible], AUDIBLE_DB)
    leads = [float(np.mean(first - second > 10)), float(np.mean(second - first > 10))]
    return min(leads) > 0.05 and sum(leads) > 0.5 and _correlation(first, second) < 0.3


def frame_levels(samples: Waveform) -> Levels:
    """RMS of each whole 100 ms frame in dBFS, shape (frames,), not below -120."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.einsum("ij,ij->i", frames, frames) / FRAME
    levels: Levels = 10 * np.log10(np.maximum(power.astype(np.float64), 1e-12))
    return levels


def _correlation(first: Levels, second: Levels) -> float:
    spread = float(first.std() * second.std())
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / spread if spread > 1e-9 else 1.0
