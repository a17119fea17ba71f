"""The assessment half of `make eval`: does it rank, can it be talked into a score, does it judge alike what is alike?

Ranking: graded short answers, judged by the code that judges interviews, beside two plain baselines and the graders'
own agreement. Attacks and variants: the bundled interview, assessed again and again with one thing changed.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, cast

import typer
from rich.console import Console

from deployments.profiles import load_profile
from scripts.evaluation import attacks as eval_attacks
from scripts.evaluation.cases import CASES, VARIANTS, to_vary, varied
from scripts.evaluation.observed import OpenAssessor, TaggingModel
from scripts.evaluation.rated_answers import Rated, TfIdf, as_grade, qwk, read, spearman
from scripts.evaluation.sentence_embeddings import similarities
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.judges import judge_for
from serve_app.pipeline.assessment.judges.points import judge_by_points
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.types import Assessment, AssessmentRequest, Utterance
from serve_app.verticals.catalog import Catalog

ROOT = Path(__file__).resolve().parents[2]
BLIND = CASES / "blind"
QUICK_ANSWERS, QUICK_ATTACKS = 40, 6
MOST_CASES = 1000
"""Of one set; all of them."""
console = Console()


class Remembering:
    """A model that computes each question once: an attack that changes no prompt then costs nothing."""

    def __init__(self, model: TaggingModel, memory: Path | None = None) -> None:
        self.name, self.writes_prose = model.name, model.writes_prose
        self._model = model
        self._memory = memory
        self._heard: dict[tuple[str, ...], list[WordTags]] = {}
        self._known: dict[str, Any] = json.loads(memory.read_text("utf-8")) if memory and memory.is_file() else {}

    def keep(self) -> None:
        """Write down what was asked so far, so that an evaluation that was cut off goes on where it was."""
        if self._memory:
            self._memory.write_text(json.dumps(self._known), "utf-8")

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        new = list({tuple(words) for words in sentences} - self._heard.keys())
        self._heard.update(zip(new, self._model.tag_words(new), strict=True))
        return [self._heard[tuple(words)] for words in sentences]

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        """See `Weigher.score`."""
        key = json.dumps([context, ask, list(options)])
        if key not in self._known:
            self._known[key] = self._model.score(context, ask, options)
        return cast("list[float]", self._known[key])

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `Weigher.write`."""
        key = json.dumps([context, ask, schema, max_tokens])
        if key not in self._known:
            self._known[key] = self._model.write(context, ask, schema, max_tokens)
        return cast("dict[str, Any]", self._known[key])


def ranking(rated: Sequence[Rated], model: TaggingModel, limit: int) -> dict[str, Any]:
    """Agreement with the graders: by points on every answer, by the model alone on every n-th of them."""
    means = [one.mean for one in rated]
    first, second = [one.grades[0] for one in rated], [one.grades[1] for one in rated]
    by_points = [as_grade(judge_by_points(one.competency(with_points=True), [one.passage()]).score) for one in rated]
    similarity, half = TfIdf(rated), held_out(rated)
    return {
        "answers": len(rated),
        "spearman": spearman(by_points, means),
        "qwk": qwk(by_points, means),
        "human_spearman": spearman(first, second),
        "human_qwk": qwk(first, second),
        "spearman_length": spearman([len(one.answer.split()) for one in rated], means),
        "spearman_similarity": spearman(similarities(rated), means),
        "spearman_tfidf": spearman([similarity(one) for one in rated], means),
        "spearman_held_out": spearman([by_points[at] for at in half], [means[at] for at in half]),
        "model_alone": _model_alone(rated[:: max(1, len(rated) // limit)][:limit], model),
    }


def held_out(rated: Sequence[Rated]) -> list[int]:
    """Answers to every second question: looked at when a change was done, not while it was made."""
    questions = sorted({one.question for one in rated})
    return [at for at, one in enumerate(rated) if questions.index(one.question) % 2]


def _model_alone(rated: Sequence[Rated], model: TaggingModel) -> dict[str, Any]:
    """The model's own judgement against the same anchors, without the points."""
    judge, began = judge_for(model), time.perf_counter()
    found = [as_grade(judge.judge(one.competency(with_points=False), [one.passage()]).score) for one in rated]
    means = [one.mean for one in rated]
    by_points = [as_grade(judge_by_points(one.competency(with_points=True), [one.passage()]).score) for one in rated]
    return {
        "answers": len(rated),
        "spearman": spearman(found, means),
        "qwk": qwk(found, means),
        "spearman_of_points_on_these": spearman(by_points, means),
        "spearman_length_on_these": spearman([len(one.answer.split()) for one in rated], means),
        "spearman_similarity_on_these": spearman(similarities(rated), means),
        "seconds_per_answer": round((time.perf_counter() - began) / len(rated), 2),
    }


def drift(request: AssessmentRequest, model: TaggingModel) -> dict[str, float]:
    """Mean absolute change of the scores per variant; a score that comes or goes counts as 4."""
    request = to_vary(request)
    honest = assess(request, model, model, _quiet)
    return {
        name: round(mean(_moved(assess(varied(request, variant), model, model, _quiet), honest)), 2)
        for name, variant in VARIANTS.items()
    }


def _moved(result: Assessment, honest: Assessment) -> list[float]:
    pairs = [(result.scores[slug].score, score.score) for slug, score in honest.scores.items()]
    return [4.0 if (a is None) != (b is None) else abs((a or 0) - (b or 0)) for a, b in pairs]


def bundled() -> AssessmentRequest:
    """The bundled interview, as it was written."""
    said = json.loads((ROOT / "config/sample/interview.json").read_text("utf-8"))
    utterances = tuple(Utterance(turn["start"], turn["end"], turn["speaker"], turn["text"]) for turn in said["turns"])
    rubric = Catalog.read(ROOT / "config/verticals").get("recruitscreen").assessment.rubric()
    return AssessmentRequest(said["role_title"], utterances, "candidate", rubric)


def _against(one: float, other: float) -> str:
    return f"beats (by {one - other:.2f})" if one > other else f"does not beat (by {other - one:.2f})"


def table(found: dict[str, Any]) -> str:
    """The figures for people."""
    alone, tokens = found["model_alone"], found["tokens_per_assessment"]
    drifts = "\n".join(f"| {name} | {value} |" for name, value in found["fairness_drift"].items())
    return f"""# Assessment quality, {found["model"]}{" (quick subset)" if found["quick"] else ""}

Made by `scripts/evaluation/assessment.py`; it says what is measured.

Does it rank? {found["answers"]} short answers with two human grades each (Mohler).

| judged by | Spearman | QWK |
| --- | --- | --- |
| expected points named by the rubric (here: the reference answer) | {found["spearman"]} | {found["qwk"]} |
| the same, on the half of the questions held out | {found["spearman_held_out"]} | |
| one grader against the other | {found["human_spearman"]} | {found["human_qwk"]} |
| baseline: length of the answer | {found["spearman_length"]} | |
| baseline: embedding similarity (MiniLM) to the reference answer | {found["spearman_similarity"]} | |
| baseline: TF-IDF similarity to the reference answer | {found["spearman_tfidf"]} | |
| the model alone, on {alone["answers"]} of the answers | {alone["spearman"]} | {alone["qwk"]} |
| expected points, on the same {alone["answers"]} | {alone["spearman_of_points_on_these"]} | |
| baseline: length, on the same {alone["answers"]} | {alone["spearman_length_on_these"]} | |
| baseline: embedding similarity, on the same {alone["answers"]} | {alone["spearman_similarity_on_these"]} | |

With points the judge {_against(found["spearman"], found["spearman_length"])} the length of the answer and
{_against(found["spearman"], found["spearman_similarity"])} the embeddings. Without points, the model alone
{_against(alone["spearman"], alone["spearman_length_on_these"])} length and
{_against(alone["spearman"], alone["spearman_similarity_on_these"])} the embeddings, which know the reference.
The bundled rubric names no points, since they depend on the job: its scores are the model's alone. A rubric that names
points, or a larger model, is what to use for real. The constants of the points were chosen on all of these answers.

{eval_attacks.table(found)}
The same answers, said in another way (mean absolute change of a score, bundled interview):

| variant | drift |
| --- | --- |
{drifts}

One assessment of the bundled interview took {found["seconds_per_assessment"]} s here, {tokens["calls"]} calls of the
model and {tokens["prompt_tokens"]} tokens, {tokens["cached_tokens"]} of them had been read before.
"""


def main(  # noqa: PLR0913 - options of a command line
    *,
    data: Annotated[Path, typer.Option(help="Folder of the evaluation data.")] = ROOT / ".." / "shared" / "eval",
    profile: Annotated[str, typer.Option(help="Models: a profile's name or path.")] = "embedded",
    out: Annotated[Path, typer.Option(help="Folder for assessment.json and .md.")] = ROOT / "docs/benchmarks",
    quick: Annotated[bool, typer.Option(help=f"{QUICK_ANSWERS} answers and {QUICK_ATTACKS} attacks a group.")] = False,
    limit: Annotated[int, typer.Option(help="Answers that the model judges alone: seconds each on a CPU.")] = 200,
    blind: Annotated[Path, typer.Option(help="Folder of cases that nobody who made the guard had seen.")] = BLIND,
    memory: Annotated[Path | None, typer.Option(help="File of model answers, to go on after a cut.")] = None,
) -> None:
    """Measure the assessment and write the figures."""
    path = data / "ratings/mohler_short_answers/mohler.jsonl"
    if not path.is_file():
        console.print(f"no rated answers under {data}")
        raise typer.Exit(1)
    backend: Any = load_profile(profile).assessor.build()
    backend.load(_quiet)
    model, request = Remembering(OpenAssessor(backend), memory), bundled()
    cases = [*eval_attacks.looked_at(), *eval_attacks.of_author(blind, "blind")]
    began = time.perf_counter()
    honest = backend.run(request, _quiet)
    seconds = time.perf_counter() - began
    try:
        found = {
            "model": model.name,
            "quick": quick,
            "seconds_per_assessment": round(seconds, 1),
            "tokens_per_assessment": asdict(honest.usage),
            "fairness_drift": drift(request, model),
            **eval_attacks.measured(request, model, cases, QUICK_ATTACKS if quick else MOST_CASES),
            **ranking(read(path), model, QUICK_ANSWERS if quick else limit),
        }
    finally:
        model.keep()
    out.mkdir(parents=True, exist_ok=True)
    (out / "assessment.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (out / "assessment.md").write_text(table(found), "utf-8")
    console.print(table(found))


def _quiet(*_: object) -> None:
    return None


if __name__ == "__main__":
    typer.run(main)
