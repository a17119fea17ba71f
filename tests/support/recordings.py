"""Recordings that tests make: synthetic speech, written to any container by the library that reads it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np

from serve_app.pipeline.types import SAMPLE_RATE, Waveform

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 6: "5.1"}


def voice(seconds: float, seed: int = 1, level: float = 0.1) -> Waveform:
    """Noise that comes and goes like speech: bursts of 0.3 s with pauses of 0.1 s."""
    noise = np.random.default_rng(seed).normal(0, level, int(seconds * SAMPLE_RATE))
    syllable = np.arange(len(noise)) / SAMPLE_RATE % 0.4 < 0.3
    return (noise * syllable).astype(np.float32)


def tone_voice(seconds: float, rate: int, level: float = 0.2) -> Waveform:
    """A vowel of 150 Hz and its overtones in bursts, which narrow-band codecs carry, too."""
    time = np.arange(int(seconds * rate)) / rate
    vowel = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 12))
    return (level * vowel * (time % 0.4 < 0.3)).astype(np.float32)


def write(
    path: Path,
    channels: Sequence[Waveform],
    codec: str = "pcm_s16le",
    layout: str = "",
    rate: int = SAMPLE_RATE,
    container_format: str | None = None,
) -> Path:
    """Write channels to a file whose container follows from its suffix, if not given."""
    return write_tracks(path, [channels], codec, layout, rate, container_format)


def write_tracks(
    path: Path,
    tracks: Sequence[Sequence[Waveform]],
    codec: str = "pcm_s16le",
    layout: str = "",
    rate: int = SAMPLE_RATE,
    container_format: str | None = None,
    languages: Sequence[str] = (),
) -> Path:
    """Write a file with several audio tracks; the first one is the default."""
    with av.open(str(path), "w", format=container_format) as container:
        streams = []
        for number, channels in enumerate(tracks):
            stream = container.add_stream(codec, rate=rate, layout=layout or LAYOUTS[len(channels)])
            stream.codec_context.options = {"strict": "experimental"}  # libav's own Vorbis encoder
            if codec.startswith("wma"):
                stream.codec_context.bit_rate = 64_000
            if languages:
                stream.metadata["language"] = languages[number]
            streams.append(stream)
        for stream, channels in zip(streams, tracks, strict=True):
            named = layout or LAYOUTS[len(channels)]
            frame = av.AudioFrame.from_ndarray(np.stack(channels), format="fltp", layout=named)
            frame.sample_rate, frame.pts = rate, 0
            stream.codec_context.open(strict=False)  # some encoders want blocks of one size
            resampler = av.AudioResampler(
                stream.codec_context.format, named, rate, frame_size=stream.codec_context.frame_size or 1024
            )
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    return path


def write_stamped(path: Path, starts_s: Iterable[float], block_s: float) -> Path:
    """Write blocks of PCM, mono, that begin at these seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        for start_s in starts_s:
            pcm = (voice(block_s) * 32_767).astype(np.int16)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, round(start_s * SAMPLE_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """Keep the first bytes of a file, like an upload that broke off."""
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    return path


def damage(path: Path, start: float = 0.4, end: float = 0.5) -> Path:
    """Put noise in place of the bytes between two shares of a file."""
    content = bytearray(path.read_bytes())
    damaged = slice(round(len(content) * start), round(len(content) * end))
    content[damaged] = np.random.default_rng(3).bytes(damaged.stop - damaged.start)
    path.write_bytes(content)
    return path


def rms(samples: Waveform) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2)))
