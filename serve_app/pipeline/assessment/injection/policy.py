"""The policy on prompt injection: which sentences are flagged, which are judged, and which may raise a score.

The injection tagger finds speech to the assessor in any wording; a few patterns confirm it. A red flag accuses a
person, so it takes near certainty. Leaving a sentence out of judging only protects the score, so it takes less: either
sign alone. Doubtful sentences are judged, but raise no score.

This is the second defence. The first one: the judge of a competency reads only the sentences about it (see
`passages.relevant_part`), and the default judge weighs the rubric's own statements, so it follows no instruction.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from serve_app.pipeline.assessment.injection.patterns import is_instruction
from serve_app.pipeline.assessment.injection.rights import is_a_right
from serve_app.pipeline.assessment.injection.spans import INJECTION
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.sentences import is_question
from serve_app.pipeline.types import Rubric

Severity = Literal["low", "high"]
RECITED_WORDS = 7
"""Consecutive words of an anchor from which a sentence recites the rubric."""
WORK = 0.5
"""From this probability on, a sentence tells of work."""
CLEARLY_WORK = 0.8
"""From this probability on, a sentence clearly tells of work."""
FLAGGED = 0.97
"""From this probability on, words that address the assessor are a red flag by themselves. The lowest limit that flags
less than 1 in 100 honest sentences near the subject in `scripts/training/validation`: 4 of 500. From 0.5 on, 70 are."""
FLAGGED_WITH_PATTERN = 0.8
"""From this probability on, words that match a pattern are a red flag."""
CLEARLY_NO_INJECTION = 0.3
"""Below this probability, a sentence clearly does not address the assessor."""
DOUBT = 0.15
"""From this probability on, a sentence is doubtful: it may raise no score."""
NO_TAGS = WordTags()


class InjectionVerdict(NamedTuple):
    """The policy's verdict on a sentence."""

    tags: WordTags = WordTags()
    severity: Severity | None = None
    """Severity of the red flag; None for no flag."""

    split: bool = False
    """Whether this is a part of a sentence, cut because another part addresses the assessor."""

    matched: bool = False
    """Whether it matches a pattern of an instruction and does not clearly tell of work."""

    @property
    def tells_of_work(self) -> bool:
        """Whether it may be judged without a cue of the rubric in it."""
        return self.tags.work >= WORK

    @property
    def may_be_judged(self) -> bool:
        """Whether it has no red flag, matches no pattern, and tells of work or clearly does not address the assessor.

        A part of a cut sentence must clearly tell of work.
        """
        limit = INJECTION if self.tells_of_work else CLEARLY_NO_INJECTION
        hidden = self.split and self.tags.work < CLEARLY_WORK
        return self.severity is None and not self.matched and self.tags.injection < limit and not hidden

    @property
    def doubtful(self) -> bool:
        """Whether it must not raise a score."""
        return self.split or self.tags.injection >= DOUBT


class InjectionPolicy:
    """Decides on each sentence, given its tags, the patterns and the anchors of the rubric."""

    def __init__(self, anchors: Iterable[str] = ()) -> None:
        self._anchors = frozenset(run for anchor in anchors for run in _runs(anchor))

    @classmethod
    def for_rubric(cls, rubric: Rubric) -> "InjectionPolicy":
        """Return the policy that recognises recited anchors of this rubric."""
        return cls(anchor for competency in rubric.competencies for anchor in competency.anchors.values())

    def for_candidate(self, sentence: str, tags: WordTags = NO_TAGS, *, split: bool = False) -> InjectionVerdict:
        """Return the verdict on a sentence of the candidate, or on a part of one. Asking for a person is no flag."""
        if is_a_right(sentence):
            return InjectionVerdict(tags)
        about_work = tags.work >= CLEARLY_WORK and tags.injection < DOUBT  # "I wrote the system prompt of our chatbot"
        matched = is_instruction(sentence) and not about_work
        return InjectionVerdict(tags, self._severity(sentence, tags.injection, matched=matched), split, matched)

    def _severity(self, sentence: str, injection: float, *, matched: bool) -> Severity | None:
        if matched and injection >= FLAGGED:
            return "high"
        sure = injection >= (FLAGGED_WITH_PATTERN if matched else FLAGGED)
        return "low" if sure or self._recites(sentence) else None

    def for_interviewer(self, sentence: str) -> InjectionVerdict:
        """Return the verdict on a sentence of others, by patterns alone: interviewers order and ask for grades."""
        matched = is_instruction(sentence) and not is_question(sentence)
        return InjectionVerdict(severity="low") if matched else InjectionVerdict()

    def _recites(self, sentence: str) -> bool:
        return not self._anchors.isdisjoint(_runs(sentence))


def _runs(text: str) -> set[tuple[str, ...]]:
    """All runs of RECITED_WORDS consecutive words."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[start : start + RECITED_WORDS]) for start in range(len(words) - RECITED_WORDS + 1)}
