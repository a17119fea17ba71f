"""Spoken interview answers with a known level: does the assessor rank them as people do?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.evaluation.assessment.agreement import agreement, ece, reliability
from scripts.evaluation.assessment.models import ReadingModel, ignore_progress
from scripts.evaluation.assessment.selection import measure_selection
from scripts.training.graded_answers import GradedAnswer, product_competencies, read_answer_file
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.judges import judge_for
from serve_app.pipeline.assessment.passages import Passage
from serve_app.pipeline.assessment.text import Sentence, words_of
from serve_app.pipeline.sentences import join, sentences
from serve_app.pipeline.types import AssessmentRequest, Rubric, Utterance


def read_file(file: Path) -> list[GradedAnswer]:
    """Read answers to the product's competencies: JSON lines with competency, question, answer and level."""
    product = product_competencies()
    return list(read_answer_file(file, file.stem, product, product))


def measure_answers(answers: Sequence[GradedAnswer], model: ReadingModel) -> dict[str, Any]:
    """Return the agreement of the model's scores with the levels: of the judge alone, and of the whole assessment.

    The judge reads the whole answer. An assessment reads only what selection finds of it, and may give no score.
    """
    judge = judge_for(model)
    judged = [judge.judge(one.competency, [passage_of(one)]) for one in answers]
    near = [abs(judgement.score - answer.level) <= 1 for judgement, answer in zip(judged, answers, strict=True)]
    confidences = [judgement.confidence for judgement in judged]
    alone = agreement(*_columns(answers, [judgement.score for judgement in judged]))
    selected = [_assessed(answer, model) for answer in answers]
    kept = [at for at, score in enumerate(selected) if score is not None]
    return {
        "spearman_interview_answers": alone["spearman"],
        "qwk_interview_answers": alone["qwk"],
        "spearman_by_competency": alone["spearman_by_competency"],
        "mean_by_level": alone["mean_by_level"],
        "exact": alone["exact"],
        "within_one": alone["within_one"],
        "length_partial": alone["length_partial"],
        "ece": ece(confidences, near),
        "reliability": reliability(confidences, near),
        "unsure": round(sum(not judgement.stable for judgement in judged) / len(judged), 3),
        "selection": measure_selection(answers, model),
        "with_selection": {
            "scored": len(kept),
            **agreement(*_columns([answers[at] for at in kept], [float(selected[at] or 0) for at in kept])),
        },
    }


def _columns(
    answers: Sequence[GradedAnswer], scores: Sequence[float]
) -> tuple[list[int], Sequence[float], list[int], list[str]]:
    return (
        [answer.level for answer in answers],
        scores,
        [len(answer.answer.split()) for answer in answers],
        [answer.competency.slug for answer in answers],
    )


def passage_of(answer: GradedAnswer) -> Passage:
    """Return the whole answer as the judge gets it."""
    spoken = sentences(words_of(Utterance(0.0, 60.0, "candidate", answer.answer)))
    return Passage(answer.question, tuple(Sentence(join(words), 0.0, 1.0, trusted=True) for words in spoken))


def _assessed(answer: GradedAnswer, model: ReadingModel) -> int | None:
    """The score of an interview of this question and answer; None where it gets none."""
    utterances = (
        Utterance(0.0, 5.0, "interviewer", answer.question), Utterance(6.0, 60.0, "candidate", answer.answer)
    )  # fmt: skip
    rubric = Rubric("evaluation", (answer.competency,))
    assessment = assess(AssessmentRequest("", utterances, "candidate", rubric), model, model, ignore_progress)
    return assessment.scores[answer.competency.slug].score


def answers_table(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    selection = figures["with_selection"]
    by_competency = "\n".join(f"| {slug} | {value} |" for slug, value in figures["spearman_by_competency"].items())
    calibration = "\n".join(
        f"| {row['answers']} | {row['confidence']} | {row['right']} |" for row in figures["reliability"]
    )
    return f"""Does it rank spoken answers? Scores against the level an answer was written for:

| | Spearman | QWK | exact | within one level |
| --- | --- | --- | --- | --- |
| the judge on whole answers | {figures["spearman_interview_answers"]} | {figures["qwk_interview_answers"]} | \
{figures["exact"]} | {figures["within_one"]} |
| the whole assessment: {selection["scored"]} answers scored | {selection["spearman"]} | {selection["qwk"]} | \
{selection["exact"]} | {selection["within_one"]} |

Does the judge of a competency get the answers that were asked for it? Over interviews composed of these answers, with
small talk and follow-ups: recall {figures["selection"]["recall"]}, precision {figures["selection"]["precision"]}.

| competency | Spearman |
| --- | --- |
{by_competency}

Mean score by level: {figures["mean_by_level"]}. What the answer's length explains beyond the level (partial rank
correlation): {figures["length_partial"]}. The range of likely levels is wider than one for {figures["unsure"]:.0%}.

Confidence is the probability that the level is the score or a neighbour. Expected calibration error: {figures["ece"]}.

| answers | mean confidence | share right |
| --- | --- | --- |
{calibration}
"""
