"""The transcript half of `make eval`: our pipeline beside a plain script with the same weights, on the same audio.

The plain script is what a README shows: faster-whisper with its defaults, pyannote's own pipeline with its published
parameters, and for each segment the speaker who has most of it. Reads references, writes a JSON file and a table.
"""

import json
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console

from deployments.weights import Profile, load_profile
from scripts.transcript_scores import Line, Scores
from scripts.transcript_sets import Item, items, silences
from serve_app.pipeline.alignment import align
from serve_app.pipeline.audio import decode
from serve_app.pipeline.types import SAMPLE_RATE, Diarization, Recording, Turn

if TYPE_CHECKING:
    from deployments.backends import DiarizerBackend, TranscriberBackend

ROOT = Path(__file__).resolve().parents[1]
console = Console()


@dataclass(frozen=True, slots=True)
class Output:
    """What a system made of one recording."""

    lines: list[Line]
    turns: tuple[Turn, ...]
    asr_s: float
    diarizer_s: float
    coverage: tuple[float, float] | None = None


class Ours:
    """The backends of a profile and our alignment."""

    name = "ours"

    def __init__(self, profile: Profile) -> None:
        self.asr = cast("TranscriberBackend", profile.asr.build())
        self.diarizer = cast("DiarizerBackend", profile.diarizer.build())
        for backend in (self.asr, self.diarizer):
            backend.load(_quiet)

    def read(self, audio: Recording, *, speakers: bool) -> Output:
        """Transcribe, diarize where asked, and align."""
        began = time.perf_counter()
        heard = self.asr.transcribe(audio, "en", _quiet)
        middle = time.perf_counter()
        found = self.diarizer.diarize(audio, None, _quiet) if speakers else Diarization((), ())
        ended = time.perf_counter()
        lines = [Line(one.speaker, one.text) for one in align(heard, found)]
        return Output(lines, found.turns, middle - began, ended - middle, (heard.covered_s, heard.speech_s))


class Plain:
    """The same weights, used as the libraries' front pages do."""

    name = "plain script"
    PARAMETERS = {  # noqa: RUF012 - read only; pyannote/speaker-diarization-3.1's published values
        "segmentation": {"min_duration_off": 0.0},
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
    }

    def __init__(self, profile: Profile) -> None:
        from faster_whisper import WhisperModel  # noqa: PLC0415 - heavy; only this class needs it

        compute_type = profile.asr.options.get("compute_type", "int8")
        self.asr = WhisperModel(str(profile.asr.weights["model"].locate()), compute_type=compute_type)
        self.pipeline = self._pipeline(profile)

    def read(self, audio: Recording, *, speakers: bool) -> Output:
        """Transcribe, diarize where asked, and give each segment to whoever has most of it."""
        began = time.perf_counter()
        segments = list(self.asr.transcribe(audio.samples, language="en")[0])
        middle = time.perf_counter()
        turns = self._diarize(audio) if speakers else ()
        ended = time.perf_counter()
        lines = [Line(_majority(turns, one.start, one.end), one.text) for one in segments]
        return Output(lines, turns, middle - began, ended - middle)

    def _pipeline(self, profile: Profile) -> Any:
        from pyannote.audio import Model, Pipeline  # noqa: PLC0415 - heavy; only this class needs it
        from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415 - same

        from deployments.backends.campplus import CamPlusPlus, NoPLDA  # noqa: PLC0415 - same

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
        return pipeline.instantiate(self.PARAMETERS)

    def _diarize(self, audio: Recording) -> tuple[Turn, ...]:
        import torch  # noqa: PLC0415 - heavy; only this class needs it

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            waveform = torch.from_numpy(audio.samples)[None]
            found = self.pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE, "uri": "recording"})
        tracks = found.speaker_diarization.itertracks(yield_label=True)
        return tuple(Turn(part.start, part.end, label) for part, _, label in tracks)


def _majority(turns: tuple[Turn, ...], start: float, end: float) -> str:
    shares: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        shares[turn.speaker] += max(0.0, min(turn.end, end) - max(turn.start, start))
    return max(shares, key=shares.__getitem__) if shares else "SPEAKER_00"


def _quiet(*_: Any) -> None:
    """Progress nobody looks at."""


def evaluate(system: Ours | Plain, chosen: list[Item], silent: list[Path]) -> dict[str, Any]:
    """Scores of one system by group of recordings, and the words it hears where nobody speaks."""
    groups: defaultdict[str, Scores] = defaultdict(Scores)
    for item in chosen:
        audio = item.recording()
        out = system.read(audio, speakers=bool(item.turns))
        _score(groups[item.group], item, out, audio.duration_s)
        console.print(f"{system.name}: {item.group} {item.path.stem}: {out.asr_s:.1f} s + {out.diarizer_s:.1f} s")
    noise = (np.random.default_rng(7).standard_normal(30 * SAMPLE_RATE) * 0.05).astype(np.float32)
    empty = [Recording(noise), *(decode(path, 3600) for path in silent)]
    invented = sum(len(line.text.split()) for audio in empty for line in system.read(audio, speakers=False).lines)
    return {"groups": {name: scores.report() for name, scores in groups.items()}, "words_in_silence": invented}


def _score(scores: Scores, item: Item, out: Output, length_s: float) -> None:
    if item.lines:
        scores.add_words(list(item.lines), out.lines)
    if item.turns:
        scores.add_turns(list(item.turns), out.turns, length_s, item.collar_s)
        if item.lines:
            scores.add_speakers(list(item.lines), out.lines)
    if out.coverage:
        scores.add_coverage(*out.coverage)
    scores.add_time(length_s, out.asr_s, out.diarizer_s)


COLUMNS = ("wer", "cpwer", "wder", "der", "coverage", "asr_rtfx", "diarizer_rtfx")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown: one row for each group and system."""
    head = [
        "recordings",
        "system",
        "WER %",
        "cpWER %",
        "WDER %",
        "DER %",
        "speech covered %",
        "ASR RTFx",
        "diarizer RTFx",
    ]
    rows = [
        [group, system, *(str(scores.get(column, "–")) for column in COLUMNS)]
        for group in next(iter(results["systems"].values()))["groups"]
        for system, found in results["systems"].items()
        for scores in [found["groups"][group]]
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    silence = ", ".join(f"{name} {found['words_in_silence']}" for name, found in results["systems"].items())
    return "\n".join(
        [
            f"# Transcript quality, profile `{results['profile']}`{' (quick subset)' if results['quick'] else ''}",
            "",
            f"{results['asr']}; {results['diarizer']}. Made by `scripts/eval_transcript.py`; it says what is measured.",
            "",
            *lines,
            "",
            f"Words heard in silence, a tone and noise: {silence}.",
            "",
        ]
    )


def main(
    *,
    data: Annotated[Path, typer.Option(help="Folder of the evaluation recordings.")] = ROOT / ".." / "shared" / "eval",
    profile: Annotated[str, typer.Option(help="Models: a profile's name or path.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for transcript.json and transcript.md.")] = ROOT / "docs/benchmarks",
    quick: Annotated[bool, typer.Option(help="A call, two meeting clips, 3 minutes of an interview.")] = False,
    plain: Annotated[bool, typer.Option(help="Also run the plain script: many times slower on a CPU.")] = True,
) -> None:
    """Measure transcripts and write the figures."""
    loaded, chosen, silent = load_profile(profile), items(data, quick=quick), silences(data)
    if not chosen:
        console.print(f"no recordings under {data}")
        raise typer.Exit(1)
    systems: list[Ours | Plain] = [Ours(loaded), *([Plain(loaded)] if plain else [])]
    results = {
        "profile": Path(profile).stem,
        "asr": loaded.asr.name,
        "diarizer": loaded.diarizer.name,
        "quick": quick,
        "systems": {system.name: evaluate(system, chosen, silent) for system in systems},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "transcript.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (out / "transcript.md").write_text(table(results), "utf-8")
    console.print(table(results))


if __name__ == "__main__":
    typer.run(main)
