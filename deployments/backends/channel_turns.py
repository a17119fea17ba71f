"""Who spoke when, where each speaker has a channel of their own: the channel is the speaker.

Voice activity per channel, less what leaks over from the other end: a channel counts only where it is not far quieter
than another one.
"""

from itertools import chain

import numpy as np

from deployments.backends.speech import Span, intersection, speech_spans, union
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import SAMPLE_RATE, Diarization, Recording, Turn, Waveform

FRAME = SAMPLE_RATE // 10
LEAK_DB = 12.0
"""A voice that is this much quieter than another channel at the same moment is its echo."""

BRIDGE_S = 0.5
"""Pauses up to this long stay inside a turn."""

Levels = np.ndarray[tuple[int], np.dtype[np.float64]]


def diarize_channels(audio: Recording, progress: Progress) -> Diarization:
    """Return the turns of a recording by channel; speakers are numbered in the order in which they are first heard."""
    levels = [frame_levels(channel) for channel in audio.channels]
    loudest = np.max(levels, axis=0)
    spoken: list[list[Span]] = []
    for index, channel in enumerate(audio.channels):
        speech = speech_spans(channel, _part(progress, index, len(audio.channels)))
        own = _spans(levels[index] > loudest - LEAK_DB)
        spoken.append([span for span in union(intersection(speech, own), BRIDGE_S) if span[1] - span[0] >= 0.1])
    order = sorted((spans[0][0], index) for index, spans in enumerate(spoken) if spans)
    names = {index: f"SPEAKER_{rank:02d}" for rank, (_, index) in enumerate(order)}
    turns = [Turn(start, end, names[index]) for index in names for start, end in spoken[index]]
    return Diarization(_in_order(turns), _exclusive(spoken, levels, names))


def _part(progress: Progress, index: int, parts: int) -> Progress:
    return lambda share: progress((index + share) / parts)


def frame_levels(samples: Waveform) -> Levels:
    """RMS of 100 ms frames in dBFS, the last one padded with silence."""
    frames = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    return np.asarray(10 * np.log10(np.maximum(np.einsum("ij,ij->i", frames, frames) / FRAME, 1e-12)), dtype=np.float64)


def _exclusive(spoken: list[list[Span]], levels: list[Levels], names: dict[int, str]) -> tuple[Turn, ...]:
    """Turns without overlap: where several speak at once, the loudest channel has the floor."""
    floor: list[Turn] = []
    for index, name in names.items():
        others = np.max([level for other, level in enumerate(levels) if other != index], axis=0)
        shared = union(
            chain.from_iterable(intersection(spoken[index], spoken[other]) for other in names if other != index)
        )
        won = intersection(shared, _spans(levels[index] > others))
        alone = _without(spoken[index], shared)
        floor += [Turn(start, end, name) for start, end in union([*alone, *won], 1e-6)]
    return _in_order(floor)


def _without(spans: list[Span], taken: list[Span]) -> list[Span]:
    edges = [float("-inf"), *chain.from_iterable(taken), float("inf")]
    free = list(zip(edges[::2], edges[1::2], strict=True))
    return intersection(spans, free)


def _spans(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Span]:
    """Runs of true 100 ms frames, in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(start * FRAME / SAMPLE_RATE, end * FRAME / SAMPLE_RATE) for start, end in edges.reshape(-1, 2).tolist()]


def _in_order(turns: list[Turn]) -> tuple[Turn, ...]:
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end)))
