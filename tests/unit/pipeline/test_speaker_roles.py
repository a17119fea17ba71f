"""Who is the candidate: on the sample, on real two-person conversations, and where nobody can tell."""

import json
from pathlib import Path

import pytest

from serve_app.pipeline.speaker_roles import ALONE, candidate_of, guess_roles
from serve_app.pipeline.types import RoleGuess, Utterance

REPO = Path(__file__).parents[3]
EVAL = REPO / ".." / "shared" / "eval"
ASKING = {"doctor", "D", "interviewer"}


def talk(*lines: tuple[str, str]) -> tuple[Utterance, ...]:
    return tuple(Utterance(float(i), i + 1.0, speaker, text) for i, (speaker, text) in enumerate(lines))


def read(path: Path, start: str, end: str, text: str) -> tuple[Utterance, ...]:
    loaded = json.loads(path.read_text())
    rows = loaded["turns"] if isinstance(loaded, dict) else loaded
    return tuple(Utterance(row[start], row[end], row["speaker"], row[text]) for row in rows)


def test_sample_interview_has_its_roles() -> None:
    """The bundled sample's speakers get their roles with confidence."""
    roles = guess_roles(read(REPO / "config" / "sample" / "interview.json", "start", "end", "text"))
    assert {label: guess.role for label, guess in roles.items()} == {
        "interviewer": "interviewer",
        "candidate": "candidate",
    }
    assert candidate_of(roles) == "candidate"


def test_panel_has_one_candidate() -> None:
    """Two people who ask are both interviewers."""
    roles = guess_roles(
        talk(
            ("A", "Thanks for joining. Can you tell me about your last project?"),
            ("B", "I built a billing service with my team. I wrote most of it in Go and I ran the migration."),
            ("C", "And how did you test it?"),
            ("B", "We replayed a week of real invoices, and I compared the totals."),
        )
    )
    assert [label for label, guess in roles.items() if guess.role == "candidate"] == ["B"]


def test_a_speaker_of_few_words_is_not_the_candidate() -> None:
    """A speaker of two or three words is not the candidate, though they ask nothing."""
    roles = guess_roles(
        talk(
            ("A", "What did you do in your last job? How did you measure it? Would you do it again?"),
            ("B", "I ran the on-call rotation, and I wrote the alerts that my team used every week. " * 3),
            ("C", "I am sorry."),
        )
    )
    assert candidate_of(roles) == "B"


def test_a_single_speaker_is_a_candidate_of_low_confidence() -> None:
    """A one-way recording holds the candidate alone."""
    roles = guess_roles(talk(("A", "I would like to apply for the role.")))
    assert roles == {"A": RoleGuess("candidate", ALONE)}
    assert candidate_of(roles) == "A"


def test_two_greetings_give_no_candidate() -> None:
    """Two speakers with the same words cannot be told apart."""
    assert candidate_of(guess_roles(talk(("A", "Hello there."), ("B", "Hello there.")))) is None


def test_nobody_speaks() -> None:
    """No utterances, no roles."""
    assert guess_roles(()) == {}
    assert candidate_of({}) is None


def _conversations() -> list[Path]:
    folders = ("text/primock57_consultations", "conversation/osce_interviews")
    return sorted(path for folder in folders for path in (EVAL / folder).glob("*.seglst.json"))


@pytest.mark.skipif(not EVAL.is_dir(), reason="the open evaluation data is not here")
@pytest.mark.parametrize("path", _conversations(), ids=lambda path: path.name)
@pytest.mark.parametrize("part", ["all", "opening", "unpunctuated"])
def test_who_asks_is_told_in_real_conversations(path: Path, part: str) -> None:
    """Consultations are interviews too: the doctor asks, also in the first minutes alone and without question marks."""
    utterances = read(path, "start_time", "end_time", "words")
    if part == "opening":
        utterances = tuple(u for u in utterances if u.end < 120)
    if part == "unpunctuated":
        utterances = tuple(Utterance(u.start, u.end, u.speaker, u.text.lower().translate(_BARE)) for u in utterances)
    roles = guess_roles(utterances)
    assert {label for label, guess in roles.items() if guess.role == "interviewer"} == ASKING & set(roles)


_BARE = str.maketrans("", "", "?.,!")
