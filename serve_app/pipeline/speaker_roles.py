"""Who asks and who is asked: a role for each voice, guessed from what is said.

An interviewer asks, addresses ("you", "tell me about") and opens; a candidate tells about themself ("I", "my team").
No one of these cues decides: candidates ask questions too, and some interviewers talk more than the candidate.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serve_app.pipeline.sentences import ends_sentence, is_question
from serve_app.pipeline.types import RoleGuess, Utterance

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
"""In log-odds. Set by reasoning, not fitted; the cues are shares, so a weight is what a one-sided cue is worth."""
MIN_SHARE = 0.05
"""A voice with a smaller share of the words is somebody who looked in, or an artefact: never the candidate."""
ALONE = 0.4
"""Confidence for a single voice: one-way interviews hold nothing but the candidate, monologues of others exist."""
MIN_CONFIDENCE = 0.65
"""Below this nobody can be told to be the candidate; who opened, by itself, gives 0.6."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """What a speaker's words show."""

    words: int
    questions: int
    addresses: int
    tells: int
    asks_phrases: int
    answers_phrases: int


def guess_roles(utterances: Sequence[Utterance]) -> dict[str, RoleGuess]:
    """Name one candidate and make everybody else an interviewer; speakers in the order they come in.

    The candidate's confidence is the probability that no other voice fits better, 0.5 being a coin's toss between two;
    an interviewer's is that of not being the candidate. A single voice is a candidate with confidence 0.4.
    """
    voices = {label: _hear(utterances, label) for label in dict.fromkeys(u.speaker for u in utterances)}
    if len(voices) < 2:
        return {label: RoleGuess("candidate", ALONE) for label in voices}
    opener = next(iter(voices))
    asking = {label: _asking(voices, label, opens=label == opener) for label in voices}
    total = sum(voice.words for voice in voices.values()) or 1
    eligible = [label for label, voice in voices.items() if voice.words >= MIN_SHARE * total]
    candidate = min(eligible, key=asking.__getitem__)
    return {label: _guess(label, candidate, asking, eligible) for label in voices}


def candidate_of(roles: Mapping[str, RoleGuess]) -> str | None:
    """Label of the candidate, or None where two voices are as likely to be theirs or nobody speaks."""
    sure = MIN_CONFIDENCE if len(roles) > 1 else 0.0
    return next(
        (label for label, guess in roles.items() if guess.role == "candidate" and guess.confidence >= sure), None
    )


def _hear(utterances: Sequence[Utterance], label: str) -> _Voice:
    words = [word.text for u in utterances if u.speaker == label for word in u.words]
    text = " ".join(u.text for u in utterances if u.speaker == label).replace("’", "'")
    questions = text.count("?") + text.count("？")
    return _Voice(
        words=len(text.split()),
        questions=questions if not words else sum(ends_sentence(w) and is_question(w) for w in words),
        addresses=len(_ADDRESSES.findall(text)),
        tells=len(_TELLS.findall(text)),
        asks_phrases=len(_INTERVIEWER.findall(text)),
        answers_phrases=len(_CANDIDATE.findall(text)),
    )


def _asking(voices: Mapping[str, _Voice], label: str, *, opens: bool) -> float:
    """How much a voice sounds like an interviewer, in log-odds against the average of the others."""
    own = voices[label]
    others = [voice for other, voice in voices.items() if other != label]
    return (
        QUESTIONS_WEIGHT * _lead(own.questions, sum(v.questions for v in others) / len(others), doubt=2)
        + PRONOUNS_WEIGHT * (_balance(own) - sum(map(_balance, others)) / len(others)) / 2
        + PHRASES_WEIGHT * _lead(_phrases(own, others), sum(_phrases(v, [own]) for v in others) / len(others), doubt=1)
        + OPENS_WEIGHT * (1 if opens else -1)
        - TALK_WEIGHT * _lead(own.words, sum(v.words for v in others) / len(others), doubt=20)
    )


def _balance(voice: _Voice) -> float:
    """From -1, all "I", to 1, all "you"; little speech stays near 0."""
    return (voice.addresses - voice.tells) / (voice.addresses + voice.tells + 4)


def _phrases(voice: _Voice, others: Sequence[_Voice]) -> float:
    """The voice's own interviewer phrases and the candidate phrases of the others."""
    return voice.asks_phrases + sum(other.answers_phrases for other in others) / len(others)


def _lead(own: float, theirs: float, doubt: float) -> float:
    """From -1, all theirs, to 1, all own; few counts stay near 0."""
    return (own - theirs) / (own + theirs + doubt)


def _guess(label: str, candidate: str, asking: Mapping[str, float], eligible: Sequence[str]) -> RoleGuess:
    """Softmax over who the candidate is: among the eligible, the less asking the likelier."""
    likelihood = {other: math.exp(-asking[other] / 2) for other in eligible}
    being_candidate = likelihood.get(label, 0.0) / sum(likelihood.values())
    if label == candidate:
        return RoleGuess("candidate", round(being_candidate, 2))
    return RoleGuess("interviewer", round(1 - being_candidate, 2))
