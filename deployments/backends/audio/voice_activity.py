"""Voice activity detection, the windows a recogniser decodes, and arithmetic on spans.

A span is a pair (start, end) in seconds. Lists of spans are in time order and without overlap. Only `speech_spans` runs
a model: the Silero VAD that ships with faster-whisper.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeAlias

from faster_whisper.vad import VadOptions, get_speech_timestamps

from serve_app.pipeline.types import SAMPLE_RATE, Part, Waveform

Span: TypeAlias = tuple[float, float]

BLOCK_S = 300
"""Seconds the VAD reads at once. 2 h at once take 1.4 GB of copies; blocks of 5 min take 60 MB."""

WINDOW_S = 30.0
"""Whisper's receptive field."""

PAD_S = 0.2
"""Margin around a window. 0.4 s raised WER by 2 to 3 points on a 3-minute interview and a phone call."""

BRIDGE_S = 3.0
"""Longest silence inside a window. Shorter limits cost more encoder passes, and 1 s raised WER by 3 points."""

VAD = VadOptions(
    threshold=0.5,
    min_speech_duration_ms=100,
    min_silence_duration_ms=300,
    speech_pad_ms=0,
    max_speech_duration_s=WINDOW_S - 2 * PAD_S,
)


def speech_spans(samples: Waveform, progress: Callable[[float], None]) -> list[Span]:
    """Return the speech of a recording. No span is longer than a window. `progress` gets the share read, 0 to 1."""
    spans: list[Span] = []
    start, block = 0, BLOCK_S * SAMPLE_RATE
    while start < len(samples):
        found = [(chunk["start"], chunk["end"]) for chunk in get_speech_timestamps(samples[start : start + block], VAD)]
        after = start + block
        if after < len(samples) and found and found[-1][1] >= block - SAMPLE_RATE // 2:
            after = start + found.pop()[0]  # the block's end cuts this span: read it again in the next block
        spans += [((start + a) / SAMPLE_RATE, (start + b) / SAMPLE_RATE) for a, b in found]
        start = after
        progress(min(1.0, start / len(samples)))
    return spans


def windows(speech: Iterable[Span], duration_s: float) -> list[Span]:
    """Pack speech into few windows, cut at silences only, each padded by `PAD_S` where there is room."""
    packed: list[Span] = []
    for start, end in speech:
        if packed and end - packed[-1][0] <= WINDOW_S - 2 * PAD_S and start - packed[-1][1] <= BRIDGE_S:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    edges = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(packed)), duration_s]
    return [(max(start - PAD_S, edges[i]), min(end + PAD_S, edges[i + 1])) for i, (start, end) in enumerate(packed)]


def share_of(spans: list[Span], part: Part) -> list[Span]:
    """Return the part's contiguous share of the windows. Every window belongs to exactly one part."""
    return spans[len(spans) * part.index // part.of : len(spans) * (part.index + 1) // part.of]


def union(spans: Iterable[Span], bridge_s: float = 0.0) -> list[Span]:
    """Merge spans that overlap or lie at most `bridge_s` apart."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= bridge_s:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def intersection(left: list[Span], right: list[Span]) -> list[Span]:
    """Return the intersection of two lists of spans."""
    common: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def complement(spans: list[Span], duration_s: float) -> list[Span]:
    """Return the time between 0 and `duration_s` outside the spans."""
    edges = [0.0, *(edge for span in spans for edge in span), duration_s]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


def seconds(spans: Iterable[Span]) -> float:
    """Return the total length of the spans."""
    return sum(end - start for start, end in spans)
