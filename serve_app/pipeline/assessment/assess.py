"""The flow of an assessment: find the passages, judge them, choose the evidence, then word the report.

Every score rests on sentences of the candidate. A competency that the interview does not touch gets no score. Pure
except for the calls of the models.
"""

from collections.abc import Sequence
from typing import cast

from serve_app.pipeline.assessment import composed, job_description, report
from serve_app.pipeline.assessment.evidence import choose_evidence
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy
from serve_app.pipeline.assessment.judges import judge_for
from serve_app.pipeline.assessment.judges.judgement import Judge, Judgement
from serve_app.pipeline.assessment.judges.points import judge_by_points
from serve_app.pipeline.assessment.passages import (
    Passage,
    find_passages,
    is_relevant,
    match_questions,
    relevant_part,
    relevant_passages,
    with_doubtful_negations,
    without_doubtful,
)
from serve_app.pipeline.assessment.ports import AnswerGrader, AssessorModel, InterviewReader, LanguageModel
from serve_app.pipeline.assessment.quotes import QuoteIndex, evidence_of
from serve_app.pipeline.assessment.text import split_utterances
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import Assessment, AssessmentRequest, Competency, CompetencyScore, Fitness

MAX_PASSAGES = 2
"""Passages that a model reads for one competency, however long the interview is."""


DOUBTFUL_NEGATION = "The recogniser is not sure whether this was said or its opposite. Listen to it."
CANDIDATE_UNKNOWN = CompetencyScore(
    None, "It is not certain which speaker is the candidate, so nothing is scored.", reason="candidate_unknown"
)


def assess(request: AssessmentRequest, model: AssessorModel, reader: InterviewReader, progress: Progress) -> Assessment:
    """Assess one interview. Reports the finished share after each step; `progress` may raise to stop the work."""
    rubric, candidate = job_description.rubric_with_job_terms(request), request.candidate or ""
    conversation = split_utterances(request.utterances, candidate, InjectionPolicy.for_rubric(rubric), reader)
    found = find_passages(conversation, candidate) if candidate else ()
    passages = match_questions(found, rubric.competencies, reader)
    quotes = QuoteIndex(conversation, candidate)
    judge, scores = judge_for(model, job_description.job_background(request)), dict[str, CompetencyScore]()
    unknown = not candidate and bool(conversation)
    for number, competency in enumerate(rubric.competencies, start=1):
        scores[competency.slug] = (
            CANDIDATE_UNKNOWN
            if unknown
            else _in_doubt(competency, passages, candidate) or _score(competency, passages, quotes, judge, model)
        )
        progress(0.9 * number / len(rubric.competencies))
    flags = report.red_flags(conversation, candidate)
    recommendation = report.recommend(scores, flags)
    texts = report.write_texts(model, request, scores, recommendation)
    progress(1.0)
    return Assessment(
        summary=texts.summary,
        recommendation=recommendation,
        scores=scores,
        highlights=composed.highlights(rubric, scores),
        red_flags=flags,
        questions_for_next_round=(
            *composed.next_questions(rubric, scores),
            *job_description.question_about_missing_terms(request),
        ),
        submittal_note=texts.submittal_note,
        model=model.name,
        rubric_version=rubric.version,
        prompt_version=rubric.prompt_version,
        fitness=model.fitness if isinstance(model, AnswerGrader) else Fitness(),
    )


def _in_doubt(competency: Competency, passages: Sequence[Passage], candidate: str) -> CompetencyScore | None:
    """Return a null score, with the sentences, where only those with a doubtful negation are about the competency."""
    if relevant_passages(competency, passages):
        return None
    parts = relevant_passages(competency, map(with_doubtful_negations, passages))
    sentences = [sentence for part in parts for sentence in part.sentences if sentence.negation_in_doubt]
    evidence = tuple(evidence_of(sentence.words, candidate) for sentence in sentences[:MAX_PASSAGES])
    return CompetencyScore(None, DOUBTFUL_NEGATION, evidence, reason="negation_in_doubt") if evidence else None


def _score(
    competency: Competency, passages: Sequence[Passage], quotes: QuoteIndex, judge: Judge, model: AssessorModel
) -> CompetencyScore:
    relevant = relevant_passages(competency, passages)
    if not relevant and any(is_relevant(competency, relevant_part(competency, passage)) for passage in passages):
        return CompetencyScore(None, "It was asked, but the answer says too little to be judged.", reason="no_evidence")
    if not relevant:
        return CompetencyScore(None, "The interview did not touch this.", reason="not_asked")
    undoubted = relevant_passages(competency, map(without_doubtful, passages))
    judgement = _judge(competency, relevant, undoubted, judge)
    chosen = judgement.evidence or choose_evidence(competency, judgement.passage, cast("LanguageModel", model))
    evidence = quotes.find(chosen.text, chosen.start) if chosen else None
    if evidence is None:
        return CompetencyScore(None, "No sentence of the candidate supports a score.", reason="no_evidence")
    return CompetencyScore(
        score=judgement.score,
        rationale=report.rationale(competency, judgement),
        evidence=(evidence,),
        confidence=judgement.confidence,
        spread=judgement.spread,
        stable=judgement.stable,
    )


def _judge(
    competency: Competency, relevant: Sequence[Passage], undoubted: Sequence[Passage], judge: Judge
) -> Judgement:
    """Judge with and without the doubtful sentences and keep the lower score: so they never raise a score.

    Where all sentences are doubtful, judge them as they are.
    """
    readings = [relevant] if undoubted in {relevant, ()} else [relevant, undoubted]
    judgements = (
        judge_by_points(competency, reading) if competency.points else judge.judge(competency, reading[:MAX_PASSAGES])
        for reading in readings
    )
    return min(judgements, key=lambda judgement: judgement.score)
