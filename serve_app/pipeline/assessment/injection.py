"""Speech that is meant for the grader, not for the interviewer.

What is surely meant so is a red flag; what may be is not judged either. This is the second line of defence. The first
is that the judge of a competency reads only what is about it (see `exchanges.about`), and that the default judge weighs
the rubric's own statements, so there is no instruction to follow.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from serve_app.pipeline.assessment.signs import (
    OF_GRADING,
    OF_MANNERS,
    OF_ME,
    OF_SUCCESS,
    OF_THIS_TALK,
    OF_WORK,
    OPENS_AS_ORDER,
    ORDER,
    PATTERNS,
    READER,
    YOU,
)
from serve_app.pipeline.sentences import is_question

Severity = Literal["low", "high"]
ENOUGH_FOR_DOUBT = 2
ENOUGH_FOR_A_FLAG = 3
RECITED = 7
"""Words in a row that somebody who says them has from the rubric's anchors."""


class Heard(NamedTuple):
    """What a guard makes of a sentence."""

    signs: int = 0
    """How many of five it bears: of grading, of success, an order, a reader that is no person, and "you"."""
    severity: Severity | None = None
    """How surely it is meant for the grader, as a red flag; None where that is not to be said aloud."""


class Guard:
    """Tells speech at the grader from talk about the work. Knows how the rubric names and words what is graded."""

    def __init__(self, names: Iterable[str] = (), anchors: Iterable[str] = ()) -> None:
        self._anchors = frozenset(run for anchor in anchors for run in _runs(anchor))
        graded = "|".join((OF_GRADING, *(_as_graded(re.escape(name.lower())) for name in names if name.strip())))
        self._signs = {
            sign: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
            for sign, words in (
                ("grading", graded), ("success", OF_SUCCESS), ("order", ORDER), ("reader", READER), ("you", YOU),
            )
        }  # fmt: skip

    def of_the_candidate(self, sentence: str) -> Heard:
        """A sentence of the candidate's. With two signs or an order it is doubtful, with three of them a red flag.

        One that tells of work done needs a sign more to be flagged: people speak of scores and systems there, too.
        """
        signs = self._found(sentence)
        not_judged = commands(sentence) or opens_as_order(sentence)
        return Heard(max(len(signs), ENOUGH_FOR_DOUBT * not_judged), self._severity(sentence, signs))

    def of_another(self, sentence: str) -> Heard:
        """A sentence of somebody who asks: interviewers ask for grades, order, say "you"."""
        meant = commands(sentence) or {"grading", "success", "reader"} <= self._found(sentence)
        return Heard(0, "high" if meant and not is_question(sentence) else None)

    def _severity(self, sentence: str, signs: AbstractSet[str]) -> Severity | None:
        told = bool(OF_WORK.search(sentence))
        if (commands(sentence) and not told) or len(signs - {"you"}) - told >= ENOUGH_FOR_A_FLAG:
            return "high"
        telling = "reader" in signs or {"grading", "order"} <= signs or bool(OF_THIS_TALK.search(sentence))
        if len(signs) - told >= (ENOUGH_FOR_DOUBT if telling else ENOUGH_FOR_A_FLAG):
            return "low"
        orders = opens_as_order(sentence) and (OF_ME.search(sentence) or "success" in signs)
        return "low" if orders or not self._anchors.isdisjoint(_runs(sentence)) else None

    def _found(self, sentence: str) -> set[str]:
        found = {name for name, sign in self._signs.items() if sign.search(sentence)}
        return found | {"order"} if opens_as_order(sentence) else found


def commands(sentence: str) -> bool:
    """Whether a sentence has the very form of an instruction to a grader."""
    return any(pattern.search(sentence) for pattern in PATTERNS)


def opens_as_order(sentence: str) -> bool:
    """Whether a sentence, or a part of it, begins as an order does."""
    return bool(OPENS_AS_ORDER.search(sentence)) and not OF_MANNERS.search(sentence)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[at : at + RECITED]) for at in range(len(words) - RECITED + 1)}


def _as_graded(name: str) -> str:
    """A competency's name as one speaks of its grade. A single word, "SQL", is also what people just work with."""
    if " " in name:
        return name
    return (
        rf"(?:rate|mark|grade|score|set|put|raise|pass|for|on) (?:my |me on |the )?{name}"
        r"(?= (?:to|at|as|a|is|with|up)\b|[.,!]|$)|"
        rf"{name} (?:to|at|is|as|gets?|should be|must be) (?:an? )?(?:five|5|ten|10|top|full|maximum|highest|perfect)"
    )
