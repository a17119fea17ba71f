"""Diarizes recordings with one channel per speaker: the channel is the speaker.

Detects voice activity per channel and removes echo: a channel counts only where it is at most LEAK_DB quieter than the
loudest channel.
"""

from itertools import chain

import numpy as np

from deployments.backends.audio.voice_activity import Span, intersection, speech_spans, union
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import SAMPLE_RATE, Diarization, Recording, Turn, Waveform

FRAME = SAMPLE_RATE // 10
LEAK_DB = 12.0
"""A channel this much quieter than another one at the same moment carries only its echo."""

BRIDGE_S = 0.5
"""Pauses of up to this length stay inside a turn."""

Levels = np.ndarray[tuple[int], np.dtype[np.float64]]


def diarize_channels(audio: Recording, progress: Progress) -> Diarization:
    """Return the turns of a recording by channel. Speakers are numbered by their first speech."""
    levels = [frame_levels(channel) for channel in audio.channels]
    spoken = [union(spans, BRIDGE_S) for spans in speech_by_channel(audio, progress)]
    first = [spans[0][0] if spans else float("inf") for spans in spoken]
    ranks = sorted(range(len(spoken)), key=first.__getitem__)
    labels = tuple(f"SPEAKER_{ranks.index(index):02d}" for index in range(len(spoken)))
    names = {index: labels[index] for index in ranks if spoken[index]}
    turns = [Turn(start, end, names[index]) for index in names for start, end in spoken[index]]
    return Diarization(_in_order(turns), _exclusive(spoken, levels, names), labels)


def speech_by_channel(audio: Recording, progress: Progress) -> list[list[Span]]:
    """Return each channel's speech without the echo of louder channels."""
    levels = [frame_levels(channel) for channel in audio.channels]
    loudest, each = np.max(levels, axis=0), 1 / len(levels)
    return [
        [
            span
            for span in intersection(
                speech_spans(channel, portion(progress, index * each, each)),
                _spans(levels[index] > loudest - LEAK_DB),
            )
            if span[1] - span[0] >= 0.1
        ]
        for index, channel in enumerate(audio.channels)
    ]


def portion(progress: Progress, start: float, length: float) -> Progress:
    """Map a step's progress to the whole: the step starts at `start` and takes `length`, both shares from 0 to 1."""
    return lambda share: progress(start + length * share)


def frame_levels(samples: Waveform) -> Levels:
    """RMS of 100 ms frames in dBFS, shape (frames,). The last frame is padded with silence."""
    frames = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    return np.asarray(10 * np.log10(np.maximum(np.einsum("ij,ij->i", frames, frames) / FRAME, 1e-12)), dtype=np.float64)


def _exclusive(spoken: list[list[Span]], levels: list[Levels], names: dict[int, str]) -> tuple[Turn, ...]:
    """Return turns without overlap: of several speakers at once, the loudest one gets the turn."""
    exclusive: list[Turn] = []
    for index, name in names.items():
        others = np.max([level for other, level in enumerate(levels) if other != index], axis=0)
        shared = union(
            chain.from_iterable(intersection(spoken[index], spoken[other]) for other in names if other != index)
        )
        won = intersection(shared, _spans(levels[index] > others))
        alone = _without(spoken[index], shared)
        exclusive += [Turn(start, end, name) for start, end in union([*alone, *won], 1e-6)]
    return _in_order(exclusive)


def _without(spans: list[Span], taken: list[Span]) -> list[Span]:
    edges = [float("-inf"), *chain.from_iterable(taken), float("inf")]
    free = list(zip(edges[::2], edges[1::2], strict=True))
    return intersection(spans, free)


def _spans(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Span]:
    """Return runs of true 100 ms frames as spans in seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(start * FRAME / SAMPLE_RATE, end * FRAME / SAMPLE_RATE) for start, end in edges.reshape(-1, 2).tolist()]


def _in_order(turns: list[Turn]) -> tuple[Turn, ...]:
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end)))
