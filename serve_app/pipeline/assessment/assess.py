"""Assess an interview: find the passages, judge them, choose the evidence, then word it.

Every score rests on sentences the candidate said; a competency the interview never touched gets no score. The flow is
pure but for the language model, which is asked small questions only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from serve_app.pipeline.assessment import job_description, report
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy
from serve_app.pipeline.assessment.judges.choice import Chooser
from serve_app.pipeline.assessment.judges.likelihood import Judge, Judgement, Judging, best_by_points
from serve_app.pipeline.assessment.passages import (
    Exchange,
    about,
    density,
    exchanges,
    touches,
    touching,
    undoubted,
)
from serve_app.pipeline.assessment.ports import LanguageModel, Weigher, WordTagger
from serve_app.pipeline.assessment.text import QuoteIndex, Sentence, Spoken, listen
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import (
    Assessment,
    AssessmentRequest,
    Competency,
    CompetencyScore,
    Evidence,
    RedFlag,
    Rubric,
)

BEST = 2
"""Passages that a model reads for one competency, however long the interview is."""
SHORTLIST = 4
"""Sentences offered to the model to choose the evidence from."""
FLAGGED = {
    "high": "Speaks to the automated assessment; not counted.",
    "low": "May be meant for the automated assessment; not counted.",
}
UNDER_ANOTHER_VOICE = "Speech at the automated assessment under another voice than the candidate's; not counted."


def assess(request: AssessmentRequest, model: LanguageModel, tagger: WordTagger, progress: Progress) -> Assessment:
    """Return the assessment. `progress` is told the finished share after each step and may raise to stop the work."""
    rubric, candidate = job_description.with_job(request), request.candidate or ""
    talk = listen(request.utterances, candidate, policy_for(rubric), tagger.tag_words)
    answers = exchanges(talk, candidate) if candidate else ()
    said = QuoteIndex(talk, candidate)
    judge, scores = judge_by(model, job_description.background(request)), dict[str, CompetencyScore]()
    for number, competency in enumerate(rubric.competencies, start=1):
        scores[competency.slug] = _score(competency, answers, said, judge, model)
        progress(0.9 * number / len(rubric.competencies))
    flags = red_flags(talk, candidate)
    recommendation = report.recommend(scores, flags)
    written = report.write(model, request, scores, recommendation)
    progress(1.0)
    return Assessment(
        summary=written.summary,
        recommendation=recommendation,
        scores=scores,
        highlights=report.highlights(rubric, scores),
        red_flags=flags,
        questions_for_next_round=(
            *report.next_questions(rubric, scores),
            *job_description.question_about_the_rest(request),
        ),
        submittal_note=written.submittal_note,
        model=model.name,
        rubric_version=rubric.version,
        prompt_version=rubric.prompt_version,
    )


def _score(
    competency: Competency, answers: Sequence[Exchange], said: QuoteIndex, judge: Judging, model: LanguageModel
) -> CompetencyScore:
    passages = touching(competency, answers)
    if not passages and any(touches(competency, about(competency, answer)) for answer in answers):
        return CompetencyScore(None, "It was asked, but the answer says too little to be judged.", reason="no_evidence")
    if not passages:
        return CompetencyScore(None, "The interview did not touch this.", reason="not_asked")
    judgement = _judged(competency, passages, touching(competency, map(undoubted, answers)), judge)
    chosen = choose_evidence(competency, judgement.exchange, model)
    evidence = said.find(chosen.text, chosen.start) if chosen else None
    if evidence is None:
        return CompetencyScore(None, "No sentence of the candidate supports a score.", reason="no_evidence")
    return CompetencyScore(
        score=judgement.score,
        rationale=report.rationale(competency, judgement.score, stable=judgement.stable),
        evidence=(evidence,),
        confidence=judgement.confidence,
        spread=judgement.spread,
        stable=judgement.stable,
    )


def _judged(
    competency: Competency, passages: Sequence[Exchange], in_no_doubt: Sequence[Exchange], judge: Judging
) -> Judgement:
    """The judgement of the passages, or of those in no doubt if it is lower: what is in doubt must not raise a score.

    Where nothing else was said, it is judged alone.
    """
    readings = [passages] if in_no_doubt in {passages, ()} else [passages, in_no_doubt]
    judgements = (
        best_by_points(competency, reading) if competency.points else judge.best(competency, reading[:BEST])
        for reading in readings
    )
    return min(judgements, key=lambda judgement: judgement.score)


def judge_by(model: LanguageModel, background: str = "") -> Judging:
    """A model that writes well judges by choosing, a small one by the likelihood of the anchors."""
    return Chooser(model, background) if model.writes_prose else Judge(cast("Weigher", model))


def choose_evidence(competency: Competency, exchange: Exchange, model: LanguageModel) -> Sentence | None:
    """One sentence of the passage, chosen by the model from a shortlist that the decoding cannot leave.

    The schema is an enumeration of what was said, so the quote is verbatim; it is looked up again all the same.
    """
    shortlist = sorted(exchange.sentences, key=lambda sentence: -density(competency, sentence))[:SHORTLIST]
    if len(shortlist) < 2:
        return shortlist[0] if shortlist else None
    chosen = model.write("", _choice_prompt(competency, exchange, shortlist), _choice_schema(len(shortlist)), 16)
    return shortlist[int(chosen["sentence"]) - 1]


def policy_for(rubric: Rubric) -> InjectionPolicy:
    """A guard who knows the statements that are graded by."""
    return InjectionPolicy(anchor for c in rubric.competencies for anchor in c.anchors.values())


def red_flags(talk: Iterable[Spoken], candidate: str) -> tuple[RedFlag, ...]:
    """Sentences that speak to the grader. They count for nothing, and a person should know of them."""
    return tuple(
        _flag(sentence, spoken.speaker, candidate)
        for spoken in talk
        for sentence in spoken.sentences
        if sentence.heard.severity
    )


def _flag(sentence: Sentence, speaker: str, candidate: str) -> RedFlag:
    """Under another voice it may be anybody's: not held against the candidate."""
    evidence = (Evidence(sentence.text, round(sentence.start, 2), round(sentence.end, 2), speaker),)
    severity = sentence.heard.severity or "low"
    if speaker != candidate:
        return RedFlag(UNDER_ANOTHER_VOICE, "low", evidence)
    return RedFlag(FLAGGED[severity], severity, evidence)


def _choice_prompt(competency: Competency, exchange: Exchange, shortlist: Sequence[Sentence]) -> str:
    numbered = "\n".join(f"{number}. {sentence.text}" for number, sentence in enumerate(shortlist, start=1))
    return (
        f"Question in a job interview: {exchange.question}\nSentences of the answer:\n{numbered}\n"
        f"Which sentence says most about this: {competency.description} Answer with its number as JSON."
    )


def _choice_schema(count: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"sentence": {"enum": list(range(1, count + 1))}},
        "required": ["sentence"],
        "additionalProperties": False,
    }
