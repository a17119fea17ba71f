"""Speech that is meant for the grader, not for the interviewer.

A learned ear hears it (`llm.LanguageModel.hear`), whatever its wording; a few forms are unmistakable. What both tell is
a red flag of high severity, what one of them tells a low one; what may be meant so is not judged, and what remains in
doubt raises no score.

This is the second line of defence. The first is that the judge of a competency reads only what is about it (see
`exchanges.about`), and that the default judge weighs the rubric's own statements, so there is no instruction to follow.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from serve_app.pipeline.assessment.injection.patterns import commands
from serve_app.pipeline.assessment.injection.spans import HEARD
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.sentences import is_question

Severity = Literal["low", "high"]
RECITED = 7
"""Words in a row that somebody who says them has from the rubric's anchors."""
ACCOUNT = 0.5
"""From here on a sentence tells of work."""
CLEARLY_ACCOUNT = 0.8
"""From here on it clearly does."""
CLEAR = 0.3
"""Under this it is clear that it is not meant for the grader."""
DOUBT = 0.15
"""Under this there is no doubt at all."""
NOTHING = WordTags()


class InjectionVerdict(NamedTuple):
    """What a guard makes of a sentence."""

    sound: WordTags = WordTags()
    severity: Severity | None = None
    """How surely it is meant for the grader, as a red flag; None where that is not to be said aloud."""

    cut: bool = False
    """Whether it was said in one breath with what is meant for the grader."""

    @property
    def tells(self) -> bool:
        """Whether it tells of work: then it may stand without a word of the rubric."""
        return self.sound.account >= ACCOUNT

    @property
    def honest(self) -> bool:
        """Whether it may be judged at all: no red flag, and telling of work or clearly not for the grader.

        What was said in one breath with speech at the grader has to tell clearly of work.
        """
        heard = self.sound.grader >= (HEARD if self.tells else CLEAR)
        hidden = self.cut and self.sound.account < CLEARLY_ACCOUNT
        return self.severity is None and not heard and not hidden

    @property
    def doubtful(self) -> bool:
        """Whether there is so little doubt that it may be judged, and so much that it must not raise a score."""
        return self.cut or self.sound.grader >= DOUBT


class InjectionPolicy:
    """Tells speech at the grader from talk about the work. Knows the statements that are graded by."""

    def __init__(self, anchors: Iterable[str] = ()) -> None:
        self._anchors = frozenset(run for anchor in anchors for run in _runs(anchor))

    def of_the_candidate(self, sentence: str, sound: WordTags = NOTHING, *, cut: bool = False) -> InjectionVerdict:
        """A sentence of the candidate's, or a part that was cut off one."""
        heard, formal = sound.grader >= HEARD, commands(sentence)
        if heard and formal:
            return InjectionVerdict(sound, "high")
        work = sound.account >= CLEARLY_ACCOUNT and sound.grader < DOUBT  # "I wrote the system prompt of our chatbot"
        low = heard or (formal and not work) or self._recites(sentence)
        return InjectionVerdict(sound, "low" if low else None, cut)

    def of_another(self, sentence: str) -> InjectionVerdict:
        """A sentence of somebody who asks, where orders and grades are usual: only the forms count."""
        return (
            InjectionVerdict(severity="low") if commands(sentence) and not is_question(sentence) else InjectionVerdict()
        )

    def _recites(self, sentence: str) -> bool:
        return not self._anchors.isdisjoint(_runs(sentence))


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[at : at + RECITED]) for at in range(len(words) - RECITED + 1)}
