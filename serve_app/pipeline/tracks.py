"""Choose which audio tracks of a file to use, so that every voice is there once.

Screen recorders write a track for each source, often one with the mix of all, and empty ones; players use the default
track alone. Tracks are compared as sketches: their mono mix at 1 kHz, second by second. A sum of tracks is then the sum
of their sketches, which shows a mix for what it is. Pure numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serve_app.pipeline.mixdown import AUDIBLE_DB, Levels, frame_levels, separate_speakers
from serve_app.pipeline.types import SAMPLE_RATE, Waveform

SKETCH_RATE = 1_000
SAME = 0.9
"""Correlation within a second from which two tracks hold the same sound."""
MIX_RESIDUAL = 0.2
"""A track of which the others explain all but this share of the energy is their mix."""

Seconds = npt.NDArray[np.bool_]
Products = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What tracks are compared by."""

    number: int
    """Of the track, as the reasons name it."""
    samples: Waveform
    """Mono at SKETCH_RATE."""
    levels: Levels
    """dBFS of 100 ms frames."""
    language: str = ""
    """ISO 639 code from the file, "" where it states none."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SKETCH_RATE


def sketch(number: int, samples: Waveform, language: str | None = None) -> Sketch:
    """Sketch a track, mono at SAMPLE_RATE."""
    step = SAMPLE_RATE // SKETCH_RATE
    low = samples[: len(samples) // step * step].reshape(-1, step).mean(axis=1)
    return Sketch(number, low, frame_levels(samples), "" if language in (None, "und") else str(language))


def reasons_to_leave_out(sketches: Sequence[Sketch], default: int) -> list[str | None]:
    """For each track, why it is left out; None where it is used. At least one track is used.

    `default` is the index of the track that players choose; of equal tracks it is the one to stay.
    """
    order = sorted(range(len(sketches)), key=lambda index: (index != default, index))
    loudest = [float(one.levels.max(initial=-np.inf)) for one in sketches]
    reasons: list[str | None] = [None if level > AUDIBLE_DB else "silent" for level in loudest]
    if all(reasons):
        reasons[max(order, key=loudest.__getitem__)] = None
    compared = _Compared(sketches)
    for rule in (_repeats, _is_mix, _is_part, _is_dub):
        for index in reversed(order):
            others = [other for other in order if other != index and reasons[other] is None]
            if reasons[index] is None and others:
                reasons[index] = rule(compared, index, others)
    return reasons


class _Compared:
    """Tracks of equal length with their products in each second."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self.sketches = sketches
        seconds = max(1, *(-(-len(one.samples) // SKETCH_RATE) for one in sketches))
        padded = np.stack([np.pad(s.samples, (0, seconds * SKETCH_RATE - len(s.samples))) for s in sketches])
        blocks = padded.reshape(len(sketches), seconds, SKETCH_RATE)
        self.products: Products = np.einsum("isk,jsk->sij", blocks, blocks).astype(np.float64)
        """Shape (seconds, tracks, tracks)."""
        energy = np.einsum("sii->si", self.products)
        self.audible: Seconds = energy > SKETCH_RATE * 10 ** (AUDIBLE_DB / 10)

    def same(self, first: int, second: int, limit: float) -> Seconds:
        """In which seconds the two tracks correlate above the limit."""
        energy = self.products[:, first, first] * self.products[:, second, second]
        return np.asarray(self.products[:, first, second] > limit * np.sqrt(np.maximum(energy, 1e-12)))

    def share(self, seconds: Seconds, among: Seconds) -> float:
        """Share of the seconds `among` which are `seconds`; 0 without any."""
        return float(np.mean(seconds[among])) if among.any() else 0.0


def _repeats(tracks: _Compared, index: int, others: Sequence[int]) -> str | None:
    """The same sound as another track, maybe louder or encoded otherwise."""
    for other in others:
        audible = tracks.audible[:, index] | tracks.audible[:, other]
        if tracks.share(tracks.same(index, other, SAME), audible) > 0.8:
            return f"repeats track {tracks.sketches[other].number}"
    return None


def _is_mix(tracks: _Compared, index: int, others: Sequence[int]) -> str | None:
    """Little more than a weighted sum of at least two others (least squares)."""
    total = tracks.products.sum(axis=0)
    within, cross = total[np.ix_(others, others)], total[others, index]
    weights = np.linalg.lstsq(within, cross, rcond=1e-6)[0]
    residual = total[index, index] - cross @ weights
    parts = weights * cross > 0.02 * total[index, index]
    if np.count_nonzero(parts) < 2 or residual > MIX_RESIDUAL * total[index, index]:
        return None
    return "holds the mix of the other tracks"


def _is_part(tracks: _Compared, index: int, others: Sequence[int]) -> str | None:
    """In another track as well, which holds more: the same where it is alone, alike where both have sound."""
    for other in others:
        audible = tracks.audible[:, index]
        same = tracks.share(tracks.same(index, other, SAME), audible)
        if same > 0.4 and tracks.share(tracks.same(index, other, 0.3), audible) > 0.8:
            return f"is part of track {tracks.sketches[other].number}"
    return None


def _is_dub(tracks: _Compared, index: int, others: Sequence[int]) -> str | None:
    """In another language than a track that has speech at the same times."""
    own = tracks.sketches[index]
    for other in others:
        theirs = tracks.sketches[other]
        length = min(len(own.levels), len(theirs.levels))
        differ = own.language and theirs.language and own.language != theirs.language
        if differ and not separate_speakers(own.levels[:length], theirs.levels[:length]):
            return f"in another language than track {theirs.number}"
    return None
