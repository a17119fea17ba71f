"""Ranking: agreement of the judges with human grades, beside plain baselines and the graders' own agreement."""

import time
from collections.abc import Sequence
from typing import Any

from scripts.evaluation.assessment.models import ReadingModel
from scripts.evaluation.assessment.rated_answers import RatedAnswer, TfIdf, qwk, spearman, to_grade
from scripts.evaluation.assessment.sentence_embeddings import similarities
from serve_app.pipeline.assessment.judges import judge_for
from serve_app.pipeline.assessment.judges.points import judge_by_points


def measure_ranking(answers: Sequence[RatedAnswer], model: ReadingModel, limit: int) -> dict[str, Any]:
    """Return the agreement with the graders: by points on every answer, by the model alone on `limit` of them."""
    means = [answer.mean for answer in answers]
    first, second = [answer.grades[0] for answer in answers], [answer.grades[1] for answer in answers]
    by_points = _grades_by_points(answers)
    tf_idf, held_out = TfIdf(answers), held_out_answers(answers)
    return {
        "answers": len(answers),
        "spearman": spearman(by_points, means),
        "qwk": qwk(by_points, means),
        "human_spearman": spearman(first, second),
        "human_qwk": qwk(first, second),
        "spearman_length": spearman(_lengths(answers), means),
        "spearman_similarity": spearman(similarities(answers), means),
        "spearman_tfidf": spearman([tf_idf(answer) for answer in answers], means),
        "spearman_held_out": spearman([by_points[n] for n in held_out], [means[n] for n in held_out]),
        "model_alone": _measure_model_alone(answers[:: max(1, len(answers) // limit)][:limit], model),
    }


def held_out_answers(answers: Sequence[RatedAnswer]) -> list[int]:
    """Return the indices of the answers to every second question, which were not looked at during development."""
    questions = sorted({answer.question for answer in answers})
    return [number for number, answer in enumerate(answers) if questions.index(answer.question) % 2]


def _measure_model_alone(answers: Sequence[RatedAnswer], model: ReadingModel) -> dict[str, Any]:
    """Judge by the same anchors without points: only the model's own judgement counts."""
    judge, began = judge_for(model), time.perf_counter()
    grades = [
        to_grade(judge.judge(answer.competency(with_points=False), [answer.passage()]).score) for answer in answers
    ]
    means = [answer.mean for answer in answers]
    return {
        "answers": len(answers),
        "spearman": spearman(grades, means),
        "qwk": qwk(grades, means),
        "spearman_of_points_on_these": spearman(_grades_by_points(answers), means),
        "spearman_length_on_these": spearman(_lengths(answers), means),
        "spearman_similarity_on_these": spearman(similarities(answers), means),
        "seconds_per_answer": round((time.perf_counter() - began) / len(answers), 2),
    }


def _grades_by_points(answers: Sequence[RatedAnswer]) -> list[float]:
    return [
        to_grade(judge_by_points(answer.competency(with_points=True), [answer.passage()]).score) for answer in answers
    ]


def _lengths(answers: Sequence[RatedAnswer]) -> list[int]:
    return [len(answer.answer.split()) for answer in answers]
