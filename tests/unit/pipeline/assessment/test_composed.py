"""The texts that are composed from scores, quotes and the rubric."""

from serve_app.pipeline.assessment import composed
from serve_app.pipeline.types import Competency, CompetencyScore, DoubtfulWord, Evidence, Rubric

ANCHORS = {level: f"The answer reaches level {level}." for level in range(1, 6)}
NAMES = ("Problem solving", "Depth", "Teamwork", "Motivation")
RUBRIC = Rubric(
    "r", tuple(Competency(name.lower(), name, "", ANCHORS, probe=f"And your {name.lower()}?") for name in NAMES), "p"
)
MISHEARD = DoubtfulWord(20.7, 21.0, "lock", 0.3)
LOCK = Evidence("I saw a lock and then another lock in the table.", 20.0, 22.2, "B", (MISHEARD,))
READ = Evidence("I only read about it.", 61.0, 63.0, "B")
SCORES = {
    "problem solving": CompetencyScore(4, "why", (LOCK,), 0.9),
    "depth": CompetencyScore(2, "why", (READ,), 0.9),
    "teamwork": CompetencyScore(None, "why", reason="not_asked"),
    "motivation": CompetencyScore(None, "why", (READ,), reason="negation_in_doubt"),
}
NOTHING = {name.lower(): CompetencyScore(None, "why", reason="no_evidence") for name in NAMES}


def test_the_summary_says_what_was_covered_on_what_evidence_and_what_was_not() -> None:
    """Strongest and weakest quote with their times, and each gap by its reason."""
    assert composed.summary(RUBRIC, SCORES) == (
        "The interview covered problem solving (4 of 5) and depth (2 of 5). "
        "The strongest evidence is for problem solving, at 0:20: "
        "“I saw a [?lock] and then another lock in the table.” "
        "The weakest is for depth, at 1:01: “I only read about it.” "
        "Not asked: teamwork. Not scored because a negation may have been misheard: motivation."
    )


def test_questions_are_about_what_this_candidate_said_and_left_out() -> None:
    """What was not asked is asked, what is unclear is confirmed, and a weak answer is quoted with what it lacks."""
    assert composed.next_questions(RUBRIC, SCORES) == (
        "And your teamwork?",
        "The recording is not clear here: “I only read about it.” Is that right?",
        "You said: “I only read about it.” And your depth? (A full answer reaches level 5.)",
    )


def test_a_strong_interview_leaves_no_question() -> None:
    """Settled levels of 4 and 5 need none."""
    strong = {name.lower(): CompetencyScore(4, "why", (LOCK,)) for name in NAMES}
    assert composed.next_questions(RUBRIC, strong) == ()


def test_a_note_to_the_client_marks_words_that_may_be_misheard() -> None:
    """They stand in brackets, and the note says so; a note without such words does not."""
    note = composed.note("Engineer", RUBRIC, SCORES)
    assert note.startswith("Interviewed for Engineer. The candidate showed strength in problem solving")
    assert "“I saw a [?lock] and then another lock in the table.”" in note
    assert note.endswith(composed.UNSURE_NOTE)
    assert "[?" not in composed.note("Engineer", RUBRIC, SCORES | {"problem solving": SCORES["depth"]})


def test_a_note_without_evidence_names_no_competency_as_covered() -> None:
    """It says that the interview speaks neither for nor against the candidate, and what to ask."""
    note = composed.note("Engineer", RUBRIC, NOTHING)
    assert "speaks neither for nor against the candidate" in note
    assert "To ask in a second call: “And your problem solving?” “And your depth?” “And your teamwork?”" in note
