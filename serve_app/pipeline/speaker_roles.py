"""Each speaker's role, interviewer or candidate: as the caller stated it, or guessed from the transcript.

An interviewer asks questions, says "you" and "tell me about", and speaks first. A candidate says "I" and "my team".
No single cue decides: candidates ask questions too, and some interviewers talk more than the candidate.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from serve_app.pipeline.sentences import ends_sentence, is_question
from serve_app.pipeline.types import Candidate, Diarization, RoleGuess, StatedCandidate, Utterance

_ADDRESSES = re.compile(r"\b(you|your|yours|you're|you've)\b", re.IGNORECASE)
_TELLS = re.compile(r"\b(i|i'm|i've|i'd|me|my|mine|we|our)\b", re.IGNORECASE)
_INTERVIEWER = re.compile(
    r"\b(tell me (about|more)|thanks? (you )?for (joining|coming|your time)|walk me through|talk me through|"
    r"(can|could|would) you (please )?(tell|describe|explain|give|walk|share)|how would you|what would you|"
    r"have you ever|why (do|did|are|would) you|what (is|are|was|were) your|do you have (any|experience)|"
    r"any (other )?questions for (me|us)|(we|i) will be in touch|next steps?|(we are|we're) looking for|"
    r"what brings you|let's (start|move on|talk about)|my next question)\b",
    re.IGNORECASE,
)
_CANDIDATE = re.compile(
    r"\b(i (have )?(worked|built|led|wrote|managed|designed|implemented|learned|learnt|studied|graduated|joined|"
    r"created|developed|organi[sz]ed|was responsible|used to)|(in|at) my (last|previous|current|first) (job|role|"
    r"company|position|team)|my (experience|background|degree|strengths?|weakness(es)?|colleagues?|manager|boss)|"
    r"(i am|i'm) (interested|looking for|passionate|used to)|i (would like|want) to (move|work|learn|join))\b",
    re.IGNORECASE,
)
QUESTIONS_WEIGHT, PRONOUNS_WEIGHT, PHRASES_WEIGHT, OPENS_WEIGHT, TALK_WEIGHT = 3.0, 2.5, 1.5, 0.4, 0.8
"""Weights of the cues, in log-odds. Set by reasoning, not fitted. Each cue runs from -1 to 1."""
MIN_SHARE = 0.05
"""A speaker with a smaller share of the words is never the candidate: a passer-by or an error of diarization."""
QUESTIONS_ALONE = 4.0
"""Questions in 100 words at which a single voice gets half of QUESTIONS_WEIGHT. Candidates ask 0 to 2, whole interviews
read as one voice 2 to 6."""
MIN_CONFIDENCE = 0.75
"""Below this confidence nobody is taken for the candidate. Speaking first, by itself, gives 0.6.

Measured on whole conversations and on stretches of 4 to 40 utterances, also without punctuation and with very short
answers merged into the other voice. `docs/assessment.md` has the figures."""


@dataclass(frozen=True, slots=True)
class _Cues:
    """Counts of the cues in one speaker's words."""

    words: int
    questions: int
    addresses: int
    tells: int
    asks_phrases: int
    answers_phrases: int


def find_candidate(
    utterances: Sequence[Utterance], diarization: Diarization, stated: StatedCandidate | str | None = None
) -> tuple[Candidate, dict[str, RoleGuess]]:
    """Return who the candidate is, and the role of every speaker in the order of their first words.

    Nobody is the candidate where the guess is less sure than MIN_CONFIDENCE, or where the stated speaker was not found.
    """
    if stated is None:
        roles = guess_roles(utterances)
        confidence = next((guess.confidence for guess in roles.values() if guess.role == "candidate"), 0.0)
        return Candidate(candidate_of(roles), confidence, "guess", MIN_CONFIDENCE), roles
    label = _stated_label(stated, utterances, diarization)
    speakers = dict.fromkeys(utterance.speaker for utterance in utterances)
    if label not in speakers:
        return Candidate(None, 0.0, "caller", MIN_CONFIDENCE), guess_roles(utterances)
    roles = {speaker: RoleGuess("candidate" if speaker == label else "interviewer", 1.0) for speaker in speakers}
    return Candidate(label, 1.0, "caller", MIN_CONFIDENCE), roles


def _stated_label(
    stated: StatedCandidate | str, utterances: Sequence[Utterance], diarization: Diarization
) -> str | None:
    """The label of the speaker that the caller named; None where there is no such speaker or channel.

    What is not a `StatedCandidate` is a label itself.
    """
    if stated not in get_args(StatedCandidate):
        return stated
    if stated in {"first", "second"}:
        labels: Sequence[str] = list(dict.fromkeys(utterance.speaker for utterance in utterances))
    else:
        labels = diarization.channels
    place = 0 if stated in {"first", "channel_1"} else 1
    return labels[place] if place < len(labels) else None


def guess_roles(utterances: Sequence[Utterance]) -> dict[str, RoleGuess]:
    """Return one candidate and make everybody else an interviewer, in the order of their first words.

    The candidate's confidence is the probability that no other speaker fits better; 0.5 means either of two. An
    interviewer's is the probability of not being the candidate. A single speaker is a candidate; the confidence falls
    where that voice also asks, as when two voices were taken for one.
    """
    cues = {label: _count_cues(utterances, label) for label in dict.fromkeys(u.speaker for u in utterances)}
    if len(cues) < 2:
        return {label: RoleGuess("candidate", round(_speaks_alone(own), 2)) for label, own in cues.items()}
    opener = next(iter(cues))
    asking = {label: _asking(cues, label, opens=label == opener) for label in cues}
    total = sum(own.words for own in cues.values()) or 1
    eligible = [label for label, own in cues.items() if own.words >= MIN_SHARE * total]
    candidate = min(eligible, key=asking.__getitem__)
    # Where only one speaker has more than a few words, the candidate's answers may have been given to that voice.
    rivals = eligible if len(eligible) > 1 else list(cues)
    return {label: _guess(label, candidate, asking, rivals) for label in cues}


def candidate_of(roles: Mapping[str, RoleGuess]) -> str | None:
    """Return the candidate's label, or None where that is less sure than MIN_CONFIDENCE or nobody speaks."""
    return next(
        (label for label, guess in roles.items() if guess.role == "candidate" and guess.confidence >= MIN_CONFIDENCE),
        None,
    )


def _count_cues(utterances: Sequence[Utterance], label: str) -> _Cues:
    words = [word.text for u in utterances if u.speaker == label for word in u.words]
    text = " ".join(u.text for u in utterances if u.speaker == label).replace("’", "'")
    questions = text.count("?") + text.count("？")
    return _Cues(
        words=len(text.split()),
        questions=questions if not words else sum(ends_sentence(w) and is_question(w) for w in words),
        addresses=len(_ADDRESSES.findall(text)),
        tells=len(_TELLS.findall(text)),
        asks_phrases=len(_INTERVIEWER.findall(text)),
        answers_phrases=len(_CANDIDATE.findall(text)),
    )


def _asking(cues: Mapping[str, _Cues], label: str, *, opens: bool) -> float:
    """Log-odds that a speaker is an interviewer, against the average of the others."""
    own = cues[label]
    others = [theirs for other, theirs in cues.items() if other != label]
    return (
        QUESTIONS_WEIGHT * _lead(own.questions, sum(v.questions for v in others) / len(others), doubt=2)
        + PRONOUNS_WEIGHT * (_balance(own) - sum(map(_balance, others)) / len(others)) / 2
        + PHRASES_WEIGHT * _lead(_phrases(own, others), sum(_phrases(v, [own]) for v in others) / len(others), doubt=1)
        + OPENS_WEIGHT * (1 if opens else -1)
        - TALK_WEIGHT * _lead(own.words, sum(v.words for v in others) / len(others), doubt=20)
    )


def _speaks_alone(cues: _Cues) -> float:
    """Probability that a single voice is the candidate's alone: it says "I" and hardly asks."""
    questions = 100 * cues.questions / max(1, cues.words)
    asking = (
        QUESTIONS_WEIGHT * questions / (questions + QUESTIONS_ALONE)
        + PRONOUNS_WEIGHT * _balance(cues)
        + PHRASES_WEIGHT * cues.asks_phrases / (cues.asks_phrases + 1)
    )
    return 1 / (1 + math.exp(2 * asking))


def _balance(cues: _Cues) -> float:
    """From -1, all "I", to 1, all "you"; near 0 for few words."""
    return (cues.addresses - cues.tells) / (cues.addresses + cues.tells + 4)


def _phrases(own: _Cues, others: Sequence[_Cues]) -> float:
    """Count the speaker's own interviewer phrases and the average of the others' candidate phrases."""
    return own.asks_phrases + sum(other.answers_phrases for other in others) / len(others)


def _lead(own: float, theirs: float, doubt: float) -> float:
    """From -1, all theirs, to 1, all own; near 0 for low counts."""
    return (own - theirs) / (own + theirs + doubt)


def _guess(label: str, candidate: str, asking: Mapping[str, float], rivals: Sequence[str]) -> RoleGuess:
    """Softmax over the speakers who may be the candidate: the lower `asking`, the likelier."""
    likelihood = {other: math.exp(-asking[other] / 2) for other in rivals}
    being_candidate = likelihood.get(label, 0.0) / sum(likelihood.values())
    if label == candidate:
        return RoleGuess("candidate", round(being_candidate, 2))
    return RoleGuess("interviewer", round(1 - being_candidate, 2))
