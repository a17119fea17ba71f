"""The flow of an assessment, with a language model that answers by a fixed rule."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.composed import highlights
from serve_app.pipeline.assessment.injection.spans import tagger_words
from serve_app.pipeline.assessment.passages import sentence_relevance
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.assessment.report import recommend, write_texts
from serve_app.pipeline.assessment.text import Sentence
from serve_app.pipeline.types import (
    Assessment,
    AssessmentRequest,
    Competency,
    CompetencyScore,
    Evidence,
    RedFlag,
    Rubric,
    Utterance,
    Word,
)
from tests.support.fakes import OpenMatcher
from tests.unit.pipeline.assessment.injection.test_policy import ATTACKS

CAUSE = Competency(
    "problem_solving", "Problem solving", "Finds causes.", {n: f"level {n}" for n in range(1, 6)},
    ("problem", "cause", "fixed"), "Tell me about a problem.",
)  # fmt: skip
TEAM = Competency(
    "teamwork", "Teamwork", "Works with others.", {n: f"level {n}" for n in range(1, 6)}, ("team",), "And a team?"
)
RUBRIC = Rubric("r1", (CAUSE, TEAM), "p1")
ANSWER = "The problem was a lock in the database. I found the cause in the traces and fixed it with an index."


TAGGED_WORDS = " ".join(" ".join(tagger_words(attack)) for attack in ATTACKS)
"""Words that the model tags as injection."""


class LengthModel(OpenMatcher):
    """Scores an answer by the length of its prompt, and always chooses the last sentence."""

    name = "by-length"
    writes_prose = False

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        return [[WordTags(injection=" ".join(words) in TAGGED_WORDS)] * len(words) for words in sentences]

    def score(self, context: str, ask: str, options: Sequence[str]) -> list[float]:
        prompt = context + ask
        self.prompts.append(prompt)
        level = min(5, 1 + len(prompt) // 90)
        return [-abs(number - level) / 2 for number in range(1, len(options) + 1)]

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        self.prompts.append(context + ask)
        return {"sentence": schema["properties"]["sentence"]["enum"][-1]}


def interview(answer: str = ANSWER, question: str = "Tell me about a problem and its cause.") -> AssessmentRequest:
    """An interview of one question and its answer."""
    utterances = (Utterance(0, 4, "SPEAKER_00", question), Utterance(5, 25, "SPEAKER_01", answer))
    return AssessmentRequest("Engineer", utterances, "SPEAKER_01", RUBRIC)


def run(request: AssessmentRequest, model: LengthModel | None = None) -> Assessment:
    model = model or LengthModel()
    return assess(request, model, model, lambda _: None)


def test_a_score_has_a_verbatim_quote_of_the_candidate() -> None:
    """Each piece of evidence is a substring of the answer, with its speaker and times."""
    score = run(interview()).scores["problem_solving"]
    assert score.score is not None
    assert all(quote.quote in ANSWER for quote in score.evidence)
    assert all(quote.speaker == "SPEAKER_01" for quote in score.evidence)
    assert all(5 <= quote.start < quote.end <= 25 for quote in score.evidence)


def test_a_competency_that_was_not_asked_gets_no_score() -> None:
    """Its reason is `not_asked`, and the rubric's question is listed for the next round."""
    result = run(interview())
    assert result.scores["teamwork"] == CompetencyScore(None, "The interview did not touch this.", reason="not_asked")
    assert "And a team?" in result.questions_for_next_round


def test_nothing_is_scored_where_the_candidate_is_not_known() -> None:
    """Every score is null with its reason, and the summary says what to do. No model is asked."""
    model = LengthModel()
    result = run(replace(interview(), candidate=None), model)
    assert {(score.score, score.reason) for score in result.scores.values()} == {(None, "candidate_unknown")}
    assert result.recommendation == "insufficient_evidence"
    assert "say with `candidate` who it is" in result.summary
    assert model.prompts == []


def test_a_competency_that_was_hardly_answered_gets_no_score() -> None:
    """Its reason is `no_evidence`."""
    score = run(interview(answer="A lock, fixed.")).scores["problem_solving"]
    assert (score.score, score.reason) == (None, "no_evidence")


def test_the_same_cue_in_question_and_answer_is_not_enough() -> None:
    """One cue may be chance, even if both speakers use it."""
    request = interview("No problem, I can start on Monday of next week.", "Is it a problem to start on Monday?")
    assert run(request).scores["problem_solving"].reason == "not_asked"


def test_a_question_of_the_candidate_is_the_last_choice_for_evidence() -> None:
    """A question ranks below any statement, even one without a cue."""
    question = Sentence("What was the problem, and what cause was fixed?", 0, 1, trusted=True)
    assert sentence_relevance(CAUSE, question) < sentence_relevance(
        CAUSE, Sentence("I do not know.", 0, 1, trusted=True)
    )


def test_the_interviewers_words_are_no_evidence() -> None:
    """An answer in the interviewer's words is not quoted."""
    request = replace(interview(answer="Yes, that is right, I think so too."), candidate="SPEAKER_01")
    request = replace(request, utterances=(Utterance(0, 9, "SPEAKER_00", ANSWER), *request.utterances[1:]))
    result = run(request)
    assert all(ANSWER.find(quote.quote) < 0 for score in result.scores.values() for quote in score.evidence)


def test_suspect_words_are_no_evidence() -> None:
    """A sentence with words that the recogniser may have invented is neither judged nor quoted."""
    texts = ANSWER.split()
    words = tuple(Word(5 + i, 5.9 + i, text, suspect=i < 8) for i, text in enumerate(texts))
    request = replace(
        interview(), utterances=(interview().utterances[0], Utterance(5, 30, "SPEAKER_01", ANSWER, words))
    )
    model = LengthModel()
    result = run(request, model)
    assert [quote.quote for quote in result.scores["problem_solving"].evidence] == [" ".join(texts[8:])]
    assert not any("lock in the database" in prompt for prompt in model.prompts)


def test_without_a_candidate_nothing_is_scored() -> None:
    """Where the candidate is unknown, there are no scores and no recommendation."""
    result = run(replace(interview(), candidate=None))
    assert all(score.score is None for score in result.scores.values())
    assert result.recommendation == "insufficient_evidence"


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_spoken_instruction_changes_only_the_red_flags(attack: str) -> None:
    """No score changes, only red flags quote it, and the model never reads it."""
    model = LengthModel()
    honest, attacked = run(interview()), run(interview(f"{ANSWER} {attack}"), model)
    assert {k: (s.score, s.confidence) for k, s in attacked.scores.items()} == {
        k: (s.score, s.confidence) for k, s in honest.scores.items()
    }
    assert attacked.red_flags
    assert all(quote.quote in attack for flag in attacked.red_flags for quote in flag.evidence)
    assert not any(attack in prompt for prompt in model.prompts)


def test_the_same_input_gives_the_same_output() -> None:
    """Two runs return equal assessments."""
    assert run(interview()) == run(interview())


def test_the_order_of_the_rubric_does_not_matter() -> None:
    """Reversing the competencies changes no score."""
    reordered = replace(interview(), rubric=replace(RUBRIC, competencies=RUBRIC.competencies[::-1]))
    assert run(reordered).scores == run(interview()).scores


def test_the_progress_callback_can_stop_the_work() -> None:
    """An exception that it raises reaches the caller."""

    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        assess(interview(), LengthModel(), LengthModel(), stop)


HIGH = RedFlag("x", "high")


@pytest.mark.parametrize(
    ("scores", "flags", "expected"),
    [
        ([4, 4, 3, 3], [], "advance"),
        ([5, 5, 5, 1], [], "hold"),
        ([4, 4, 4, 4], [HIGH], "hold"),
        ([3, 3, 3, 2], [], "hold"),
        ([2, 2, 3, 2], [], "reject"),
        ([5, None, None, None], [], "insufficient_evidence"),
        ([5, 4, None, None], [], "advance"),
        ([2, None], [], "insufficient_evidence"),
        ([2], [], "reject"),
        ([], [], "insufficient_evidence"),
    ],
)
def test_the_recommendation_follows_from_the_scores(
    scores: list[int | None], flags: list[RedFlag], expected: str
) -> None:
    """The recommendation depends on scores and red flags alone."""
    competency_scores = {str(n): CompetencyScore(score, "") for n, score in enumerate(scores)}
    if not scores:
        competency_scores = {"a": CompetencyScore(None, "")}
    assert recommend(competency_scores, flags) == expected


def test_only_a_stable_score_is_a_highlight() -> None:
    """A score on which the judge's passes disagree is neither a highlight nor the strongest evidence."""
    quote = Evidence("I asked the team.", 1.0, 2.0, "SPEAKER_01")
    unstable = CompetencyScore(5, "why", (Evidence("It was the cause.", 3.0, 4.0, "SPEAKER_01"),), 0.4, stable=False)
    scores = {"problem_solving": unstable, "teamwork": CompetencyScore(4, "why", (quote,), 0.9)}
    assert highlights(RUBRIC, scores) == ("Teamwork, at 0:01: “I asked the team.”",)
    written = write_texts(LengthModel(), interview(), scores, "hold")
    assert "strongest evidence is for teamwork, at 0:01: “I asked the team.”" in written.summary
    assert "Read the passages on problem solving yourself" in written.summary
    assert "It was the cause." not in written.summary + written.submittal_note


@pytest.mark.parametrize(
    ("values", "phrases"),
    [
        ({"problem_solving": 2}, ("It covered problem solving (2 of 5)", "Not asked: teamwork.", "“And a team?”")),
        ({}, ("It covered nothing that the rubric asks for", "“Tell me about a problem.” “And a team?”")),
    ],
)
def test_a_note_without_strong_evidence_prepares_a_second_call(values: dict[str, int], phrases: tuple[str]) -> None:
    """It names what the interview covered and left open, and what to ask."""
    quote = (Evidence("I asked the team.", 1.0, 2.0, "SPEAKER_01"),)
    scores = {
        c.slug: CompetencyScore(values[c.slug], "why", quote) if c.slug in values else CompetencyScore(None, "why")
        for c in RUBRIC.competencies
    }
    note = write_texts(LengthModel(), interview(), scores, "insufficient_evidence").submittal_note
    assert note.startswith("Interview for Engineer, not ready for submittal.")
    assert all(part in note for part in phrases)
