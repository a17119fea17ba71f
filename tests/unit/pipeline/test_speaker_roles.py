"""Who is the candidate: on the sample, on real two-person conversations, and where nobody can tell."""

import json
from pathlib import Path

import pytest

from serve_app.pipeline.speaker_roles import MIN_CONFIDENCE, candidate_of, find_candidate, guess_roles
from serve_app.pipeline.types import Candidate, Diarization, StatedCandidate, Turn, Utterance

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


def test_a_single_voice_that_only_tells_is_the_candidate() -> None:
    """A one-way recording holds the candidate alone."""
    roles = guess_roles(talk(("A", "I would like to apply for the role. I have run a kitchen with my brother.")))
    assert candidate_of(roles) == "A"


INTERVIEW = (
    ("A", "Thanks for coming. Your role is what, at the moment?"),
    ("B", "Porter."),
    ("A", "And have you worked nights? Can you lift, would you say?"),
    ("B", "Yes."),
    ("A", "Do you have your own car? When could you start?"),
    ("B", "Monday."),
)


def test_two_voices_taken_for_one_give_no_candidate() -> None:
    """A single voice that asks and answers is not known to be the candidate's."""
    assert candidate_of(guess_roles(talk(*(("A", text) for _, text in INTERVIEW)))) is None


def test_who_asks_is_not_the_candidate_where_the_answers_went_to_that_voice() -> None:
    """With hardly a word of the other speaker left, the one who asks is not taken for the candidate."""
    merged = [("A", text) for _, text in INTERVIEW] * 3
    candidate, roles = find_candidate(talk(*merged, ("B", "Bye.")), Diarization((), ()))
    assert candidate.speaker is None
    assert candidate.confidence < candidate.min_confidence == MIN_CONFIDENCE
    assert [guess.role for guess in roles.values()].count("candidate") == 1


TWO_CHANNELS = Diarization((Turn(0, 9, "L"), Turn(0, 9, "R")), (), ("R", "L"))


@pytest.mark.parametrize(
    ("stated", "speaker"), [("first", "A"), ("second", "B"), ("channel_1", None), ("channel_2", None)]
)
def test_a_stated_speaker_is_the_candidate(stated: StatedCandidate, speaker: str | None) -> None:
    """The caller's word counts, whatever is said; without channels, nobody is on one."""
    candidate, roles = find_candidate(talk(*INTERVIEW), Diarization((), ()), stated)
    assert candidate == Candidate(speaker, 1.0 if speaker else 0.0, "caller", MIN_CONFIDENCE)
    if speaker:
        assert {label: guess.role for label, guess in roles.items()} == {
            label: "candidate" if label == speaker else "interviewer" for label in "AB"
        }


def test_a_stated_channel_is_the_candidate() -> None:
    """Channels count from 1 in the order of the recording, not of who speaks first."""
    utterances = talk(("L", "Hello."), ("R", "Good morning."))
    found = [find_candidate(utterances, TWO_CHANNELS, stated)[0].speaker for stated in ("channel_1", "channel_2")]
    assert found == ["R", "L"]


def test_a_second_speaker_who_was_not_found_is_nobody() -> None:
    """Where all words went to one voice, nobody takes the place of the speaker that the caller named."""
    candidate, _ = find_candidate(talk(("A", "I am the only voice.")), Diarization((), ()), "second")
    assert (candidate.speaker, candidate.source) == (None, "caller")


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
