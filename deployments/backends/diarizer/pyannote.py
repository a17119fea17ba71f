"""Diarizes with pyannote.audio's `SpeakerDiarization` pipeline, on the CPU or a GPU.

The weights are either a whole pipeline (`pipeline`: a directory or hub repository with a `config.yaml`) or its parts
(`segmentation`, `embedding`, `embedding_code`), assembled with CAM++ embeddings and agglomerative clustering. Voice
embeddings are discarded at the end of each call.
"""

import gc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deployments.backends import LoadProgress
from deployments.backends.audio.channel_turns import diarize_channels
from deployments.backends.device import choose_device
from deployments.backends.failures import job_failures
from deployments.backends.progress import reporting
from deployments.weights import Weights
from serve_app.errors import InferenceFailed, WeightsUnavailable
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import SAMPLE_RATE, Diarization, DiarizationRequest, Recording, Turn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torchcodec misses FFmpeg; not needed, waveforms come from memory
    from pyannote.audio import Model, Pipeline
    from pyannote.audio.telemetry import set_telemetry_metrics

    from deployments.backends.diarizer.campplus import CamPlusPlus, SharedFrameDiarization

set_telemetry_metrics(False)  # telemetry sends the length and number of speakers of each recording

MIN_SAMPLES = SAMPLE_RATE // 10
"""Shorter recordings (under 0.1 s) do not fill the segmentation's frames: they have no turns."""

STEP, LONG_STEP, LONG_S = 0.1, 0.2, 300.0
"""Windows of 10 s start every 1 s, in recordings over 5 minutes every 2 s. The longer step is 1.65 times as fast and
takes half the memory. It costs 0.16 points of error on five ten-minute interviews, and 1.5 on 30 s clips."""

MIN_SPEAKER_S = 0.2
"""A speaker with less talk is noise: the onset of a test tone counted as 0.08 s of speech."""

CLUSTERING = {"method": "average", "threshold": 0.265, "min_cluster_size": 12}
"""`threshold` is the average cosine distance from which two voices count as different. Between 0.25 and 0.275, five
two-person interviews and a phone call all have two speakers; 0.3 joins two similar voices, 0.225 splits one."""

SHARES = {"segmentation": (0.0, 0.7), "embeddings": (0.7, 0.27)}
"""Start and length of each pipeline step, as shares of the whole."""


class Pyannote:
    """A diarization pipeline. See `Backend`.

    Options: `device` is `auto`, `cpu` or `cuda`; `clustering` replaces `CLUSTERING` where the pipeline is assembled
    from parts; `threads` 0 lets torch choose.
    """

    def __init__(  # noqa: PLR0913 — keyword-only options of a profile, not a call people write
        self,
        *,
        name: str,
        weights: dict[str, Weights],
        device: str = "auto",
        clustering: dict[str, Any] | None = None,
        segmentation_batch_size: int = 8,
        embedding_batch_size: int = 4,
        threads: int = 0,
    ) -> None:
        self.name = name
        self.device = choose_device(device)
        self._weights = weights
        self._clustering = clustering or CLUSTERING
        self._batches = (segmentation_batch_size, embedding_batch_size)
        self._threads = threads
        self._pipeline: Any = None

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`."""
        return sum(part.size() for part in self._weights.values())

    def load(self, progress: LoadProgress) -> None:
        """See `Backend.load`."""
        if self._pipeline is not None:
            return
        progress(0, self.weight_bytes())
        paths = {part: str(weights.locate()) for part, weights in self._weights.items()}
        if self._threads:
            torch.set_num_threads(self._threads)
        with job_failures(self.name, WeightsUnavailable), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # checkpoints of older Lightning versions, upgraded on the fly
            pipeline = self._pretrained(paths["pipeline"]) if "pipeline" in paths else self._from_parts(paths)
            self._pipeline = pipeline.to(torch.device(self.device))
        self._diarize(
            Recording(np.zeros(SAMPLE_RATE, dtype=np.float32)), None, lambda _: None
        )  # the first run imports for 7 s
        progress(self.weight_bytes(), self.weight_bytes())

    def unload(self) -> None:
        """See `Backend.unload`."""
        if self._pipeline is not None:
            self._pipeline = None
            gc.collect()
            if self.device != "cpu":
                torch.cuda.empty_cache()

    def run(self, request: DiarizationRequest, progress: Progress) -> Diarization:
        """See `Backend.run`. With one channel per speaker, the channels decide and `num_speakers` is ignored."""
        audio: Recording = request.audio
        if self._pipeline is None:
            raise InferenceFailed(f"{self.name} was asked to diarize before its weights were loaded.")
        if audio.channels:
            return diarize_channels(audio, progress)
        if len(audio.samples) < MIN_SAMPLES:
            return Diarization((), ())
        found = self._diarize(audio, request.num_speakers, progress)
        progress(1.0)
        return _diarization(found.speaker_diarization, found.exclusive_speaker_diarization)

    def _diarize(self, audio: Recording, num_speakers: int | None, progress: Progress) -> Any:
        """Return pyannote's own output. An exception of `progress` leaves unchanged."""
        if isinstance(self._pipeline, SharedFrameDiarization):
            self._pipeline.set_step(LONG_STEP if audio.duration_s > LONG_S else STEP)
        with reporting(progress) as reporter, job_failures(self.name), warnings.catch_warnings():
            # Warns of read-only samples (Ray's), of silent windows, and of fewer voices than `num_speakers`.
            warnings.simplefilter("ignore")
            waveform = torch.from_numpy(audio.samples)[None]
            file = {"waveform": waveform, "sample_rate": SAMPLE_RATE, "uri": "recording"}
            return self._pipeline(file, num_speakers=num_speakers, hook=_Reporter(reporter))

    def _pretrained(self, path: str) -> Any:
        pipeline = Pipeline.from_pretrained(path)
        if pipeline is None:
            raise WeightsUnavailable(f"{self.name}: {Path(path).name} holds no pipeline (config.yaml).")
        pipeline.segmentation_batch_size, pipeline.embedding_batch_size = self._batches
        return pipeline

    def _from_parts(self, paths: dict[str, str]) -> SharedFrameDiarization:
        segmentation = Model.from_pretrained(paths["segmentation"])
        assert segmentation is not None  # only hub downloads can fail with None
        embedding = CamPlusPlus.from_files(Path(paths["embedding_code"]), Path(paths["embedding"]))
        pipeline = SharedFrameDiarization(segmentation, embedding, batches=self._batches)
        pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": self._clustering})
        return pipeline


class _Reporter:
    """pyannote's hook: maps the progress of the steps to one share."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, step: str, *_: Any, total: int | None = None, completed: int | None = None, **__: Any) -> None:
        if step not in SHARES or not total or completed is None:
            return
        start, length = SHARES[step]
        self._progress(start + length * min(1.0, completed / total))


def _diarization(everyone: Any, exclusive: Any) -> Diarization:
    """Convert pyannote's annotations to turns. Speakers are numbered by their first speech."""
    talk_s = {label: everyone.label_duration(label) for label in everyone.labels()}
    tracks = [track for track in _tracks(everyone) if talk_s[track[2]] >= MIN_SPEAKER_S]
    names: dict[str, str] = {}
    for _, _, label in tracks:
        names.setdefault(label, f"SPEAKER_{len(names):02d}")
    return Diarization(
        tuple(Turn(start, end, names[label]) for start, end, label in tracks),
        tuple(Turn(start, end, names[label]) for start, end, label in _tracks(exclusive) if label in names),
    )


def _tracks(annotation: Any) -> list[tuple[float, float, str]]:
    tracks = annotation.itertracks(yield_label=True)
    return sorted((float(segment.start), float(segment.end), str(label)) for segment, _, label in tracks)
