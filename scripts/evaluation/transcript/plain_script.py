"""The baseline of the transcript evaluation: the same weights, used as in the libraries' own examples.

faster-whisper with its defaults, then pyannote's own pipeline with its own step and the service's clustering threshold,
then for each segment the speaker with the largest share of it. On a CPU this takes about as long as the recording, so
outputs are cached by recording, models and library versions. A cached output has the times of the run that made it.
"""

import hashlib
import json
import time
import warnings
from collections import defaultdict
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deployments.profiles import Profile
from scripts.evaluation.transcript.recordings import ReferenceRecording
from scripts.evaluation.transcript.scores import Line
from serve_app.pipeline.types import SAMPLE_RATE, Recording, Turn

LIBRARIES = ("faster-whisper", "ctranslate2", "pyannote.audio", "torch")
PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "average", "min_cluster_size": 12, "threshold": 0.265},
}
"""The service's threshold. pyannote's published one belongs to other embeddings."""


@dataclass(frozen=True, slots=True)
class SystemOutput:
    """A system's transcript and speaker turns of one recording, and the seconds it took."""

    lines: tuple[Line, ...]
    turns: tuple[Turn, ...]
    asr_s: float
    diarizer_s: float
    total_s: float
    overhead_s: float = 0.0
    """Wall-clock time in which no model ran."""
    coverage: tuple[float, float] | None = None
    """Seconds of speech that words cover, and seconds of speech."""
    kept: bool = False
    """Whether it comes from an earlier run."""


class PlainScript:
    """Runs both libraries, one after the other."""

    name = "plain script"

    def __init__(self, profile: Profile, cache: Path) -> None:
        self._profile, self._cache = profile, cache
        self._models: tuple[Any, Any] | None = None

    def cached(self, item: ReferenceRecording) -> SystemOutput | None:
        """Return the output of an earlier run on the same recording with the same models and libraries."""
        path = self._path(item)
        if not path.is_file():
            return None
        row = json.loads(path.read_text("utf-8"))
        lines, turns = (Line(**line) for line in row.pop("lines")), (Turn(**turn) for turn in row.pop("turns"))
        return SystemOutput(tuple(lines), tuple(turns), **{**row, "kept": True})

    def transcribe(self, item: ReferenceRecording) -> SystemOutput:
        """Decode, transcribe, diarize, assign a speaker to each segment, and cache the output."""
        asr, pipeline = self.load()
        start = time.perf_counter()
        audio = item.decode()
        began = time.perf_counter()
        segments = list(asr.transcribe(audio.samples, language="en")[0])
        middle = time.perf_counter()
        turns = _diarize(pipeline, audio) if item.turns else ()
        lines = tuple(Line(_majority(turns, segment.start, segment.end), segment.text) for segment in segments)
        ended = time.perf_counter()
        output = SystemOutput(lines, turns, middle - began, ended - middle, ended - start)
        path = self._path(item)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(output)), "utf-8")
        return output

    def load(self) -> tuple[Any, Any]:
        """Return the two models; the first call loads them."""
        if self._models is None:
            self._models = _whisper(self._profile), _pipeline(self._profile)
        return self._models

    def _path(self, item: ReferenceRecording) -> Path:
        parts = [self._profile.asr.model_dump_json(), self._profile.diarizer.model_dump_json(), str(PARAMETERS)]
        parts += [f"{name} {version(name)}" for name in LIBRARIES]
        key = hashlib.sha256("\n".join([*parts, str(bool(item.turns)), str(item.until_s)]).encode())
        key.update(item.path.read_bytes())
        return self._cache / f"{key.hexdigest()[:32]}.json"


def _whisper(profile: Profile) -> Any:
    from faster_whisper import WhisperModel  # noqa: PLC0415 - heavy; cached outputs need no model

    compute_type = profile.asr.options.get("compute_type", "int8")
    return WhisperModel(str(profile.asr.weights["model"].locate()), compute_type=compute_type)


def _pipeline(profile: Profile) -> Any:
    from pyannote.audio import Model, Pipeline  # noqa: PLC0415 - heavy
    from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415 - heavy

    from deployments.backends.diarizer.campplus import CamPlusPlus, NoPLDA  # noqa: PLC0415 - heavy

    paths = {part: weights.locate() for part, weights in profile.diarizer.weights.items()}
    if "pipeline" in paths:
        return Pipeline.from_pretrained(str(paths["pipeline"]))
    segmentation = Model.from_pretrained(str(paths["segmentation"]))
    assert segmentation is not None  # only hub downloads can fail with None
    pipeline = SpeakerDiarization(
        segmentation=segmentation,
        embedding=CamPlusPlus.from_files(paths["embedding_code"], paths["embedding"]),
        plda=NoPLDA(),
        clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True,
        embedding_batch_size=8,
        segmentation_batch_size=8,
    )
    return pipeline.instantiate(PARAMETERS)


def _diarize(pipeline: Any, audio: Recording) -> tuple[Turn, ...]:
    import torch  # noqa: PLC0415 - heavy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        waveform = torch.from_numpy(audio.samples)[None]
        diarization = pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE, "uri": "recording"})
    tracks = diarization.speaker_diarization.itertracks(yield_label=True)
    return tuple(Turn(part.start, part.end, label) for part, _, label in tracks)


def _majority(turns: tuple[Turn, ...], start: float, end: float) -> str:
    """Return the speaker with the most time between `start` and `end`."""
    shares: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        shares[turn.speaker] += max(0.0, min(turn.end, end) - max(turn.start, start))
    return max(shares, key=shares.__getitem__) if shares else "SPEAKER_00"
