"""Words that the recogniser is not sure of: shown with a quote, and under no score where they may turn its sense."""

from dataclasses import replace

import pytest

from serve_app.pipeline.assessment.doubtful_words import doubtful_words, negation_in_doubt
from serve_app.pipeline.types import AssessmentRequest, CompetencyScore, DoubtfulWord, Utterance, Word
from tests.unit.pipeline.assessment.test_assess import interview, run


def spoken(text: str, at: float = 0.0, **confidences: float) -> tuple[Word, ...]:
    """Words of half a second each, sure but for those named; `dont` names "don't"."""
    return tuple(
        Word(at + i / 2, at + i / 2 + 0.5, word, confidences.get("".join(c for c in word.lower() if c.isalnum()), 0.95))
        for i, word in enumerate(text.split())
    )


def answered(*sentences: tuple[Word, ...]) -> AssessmentRequest:
    """An interview about a problem, answered with these sentences."""
    request = interview()
    words = tuple(word for sentence in sentences for word in sentence)
    answer = Utterance(5, 25, "SPEAKER_01", " ".join(word.text for word in words), words)
    return replace(request, utterances=(request.utterances[0], answer))


@pytest.mark.parametrize(
    ("words", "doubt"),
    [
        (spoken("I don't have the cause.", dont=0.6), True),
        (spoken("I don't have the cause."), False),
        (spoken("I do have the cause.", do=0.4), True),
        (spoken("I do have the cause.", do=0.6), False),
        (spoken("We can fix it.", can=0.6), True),
        (spoken("It was never fixed.", never=0.69), True),
        (spoken("I found the cause.", cause=0.1), False),
        (spoken("I haven’t found the cause.", havent=0.3), True),
    ],
)
def test_a_negation_is_in_doubt_where_it_may_be_wrong_or_missing(*, words: tuple[Word, ...], doubt: bool) -> None:
    """An unsure negation counts, and an auxiliary that may have lost its "n't". Other unsure words turn no sense."""
    assert negation_in_doubt(words) is doubt


def test_a_quote_names_its_doubtful_words() -> None:
    """Evidence lists the words that the recogniser is not sure of, with times and confidence."""
    sentence = spoken("I found the cause of the problem in the traces and fixed it.", at=5, traces=0.42)
    (quote,) = run(answered(sentence)).scores["problem_solving"].evidence
    assert quote.doubtful == (DoubtfulWord(9.5, 10.0, "traces", 0.42),)
    assert doubtful_words(spoken("I found the cause.")) == ()


def test_no_score_rests_on_a_negation_in_doubt() -> None:
    """Where only such a sentence is about the competency, the score is null and the sentence is shown with its mark."""
    sentence = spoken("I don't know the cause of that problem and I fixed it.", at=5, dont=0.55)
    score = run(answered(sentence)).scores["problem_solving"]
    assert (score.score, score.reason) == (None, "negation_in_doubt")
    assert [[word.text for word in quote.doubtful] for quote in score.evidence] == [["don't"]]


def test_a_sentence_with_a_negation_in_doubt_changes_no_score() -> None:
    """The other sentences of the answer are scored as if it had not been said."""
    sure = spoken("I found the cause of the problem in the traces and fixed it.", at=5)
    unsure = spoken("I didn't fix the cause of another problem.", at=15, didnt=0.2)
    score = run(answered(sure, unsure)).scores["problem_solving"]
    assert isinstance(score, CompetencyScore)
    assert score.score is not None
    assert score == run(answered(sure)).scores["problem_solving"]


def test_a_question_with_a_negation_in_doubt_is_still_a_question() -> None:
    """What others say is not scored, so a doubt in it hides no question."""
    request = answered(spoken("I found the cause of the problem in the traces and fixed it.", at=5))
    question = spoken("Can you tell me about a problem and its cause?", can=0.2)
    asked = Utterance(0, 4, "SPEAKER_00", "", question)
    assert run(replace(request, utterances=(asked, request.utterances[1]))).scores["problem_solving"].score is not None
