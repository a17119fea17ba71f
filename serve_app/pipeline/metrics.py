"""Talk metrics, and the exact definition of each.

Times come from the diarization's turns, counts of words from the utterances. All use *spurts*: one speaker's turns,
joined over pauses of up to JOIN_PAUSE_S, as in Heldner & Edlund 2010, "Pauses, gaps and
overlaps in conversations" (J. Phonetics 38), who also give the split of overlaps used for interruptions.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from serve_app.pipeline.sentences import ends_sentence, is_question
from serve_app.pipeline.types import Diarization, Metrics, Transcription, Turn, Utterance

JOIN_PAUSE_S = 0.5
"""Most pauses inside a turn are shorter; so are the gaps that diarization leaves inside speech."""
MIN_OVERLAP_S = 0.5
"""Listeners often start up to half a second before a turn ends, because they can predict its end. That interrupts
nobody (Sacks, Schegloff & Jefferson 1974: overlap at transition places is common and brief)."""
MIN_FLOOR_S = 1.0
"""Shorter stretches are backchannels ("right", "mm-hm"): they do not count as holding the floor."""
MONOLOGUE_PAUSE_S = 3.0
"""A silence that ends a monologue."""
MIN_RATE_SPEECH_S = 3.0
"""Less speech gives no meaningful words per minute."""


def talk_metrics(utterances: Sequence[Utterance], diarization: Diarization, transcription: Transcription) -> Metrics:
    """Measure a conversation. Without turns, the utterances' times are used; without either, dicts are empty."""
    turns = diarization.turns or tuple(Turn(u.start, u.end, u.speaker) for u in utterances)
    spoken = spurts(turns, 0.0)
    floor = spurts(turns)
    return Metrics(
        talk_ratio=talk_ratio(spoken),
        interruptions=interruptions(floor),
        words_per_minute=words_per_minute(utterances, spoken),
        longest_monologue_s=longest_monologue_s(floor),
        median_pause_before_answer_s=median_pause_before_answer_s(utterances, spoken),
        questions_asked=questions_asked(utterances),
        coverage=coverage(transcription),
    )


def spurts(turns: Iterable[Turn], join_pause_s: float = JOIN_PAUSE_S) -> tuple[Turn, ...]:
    """Join each speaker's turns that touch, overlap or lie at most `join_pause_s` apart; sorted by start."""
    united: list[Turn] = []
    last: dict[str, int] = {}
    for turn in sorted(turns, key=_order):
        index = last.get(turn.speaker)
        if index is not None and turn.start - united[index].end <= join_pause_s:
            before = united[index]
            united[index] = Turn(before.start, max(before.end, turn.end), turn.speaker)
        else:
            last[turn.speaker] = len(united)
            united.append(turn)
    return tuple(sorted(united, key=_order))


def talk_ratio(spoken: Iterable[Turn]) -> dict[str, float]:
    """Each speaker's share of all speaking time. Where two talk at once, the time counts for both.

    Rounded to 0.001 by largest remainder, so that the shares sum to 1.
    """
    seconds = _seconds(spoken)
    total = sum(seconds.values())
    if not total:
        return {}
    exact = {speaker: 1000 * value / total for speaker, value in seconds.items()}
    missing = 1000 - sum(int(value) for value in exact.values())
    rounded_up = set(sorted(exact, key=lambda speaker: int(exact[speaker]) - exact[speaker])[:missing])
    return {speaker: (int(value) + (speaker in rounded_up)) / 1000 for speaker, value in exact.items()}


def interruptions(floor: Sequence[Turn]) -> int:
    """Count the times a speaker took the floor from another by talking over them.

    A spurt interrupts when it starts at least MIN_FLOOR_S into another's spurt, overlaps it for at least
    MIN_OVERLAP_S, outlasts it, and is itself at least MIN_FLOOR_S long (Heldner & Edlund's between-speaker overlap; an
    overlap inside a spurt that goes on is a backchannel or an attempt that failed). Whether the other felt interrupted
    is a judgement (Bennett 1981, "Interruptions and the interpretation of conversation"); this counts overlaps.
    """
    latest: dict[str, Turn] = {}  # one speaker's spurts do not overlap: only the latest can still be going on
    count = 0
    for turn in floor:
        count += any(_interrupts(turn, other) for other in latest.values())
        latest[turn.speaker] = turn
    return count


def _interrupts(turn: Turn, other: Turn) -> bool:
    return (
        other.speaker != turn.speaker
        and turn.end - turn.start >= MIN_FLOOR_S
        and turn.start - other.start >= MIN_FLOOR_S
        and other.end - turn.start >= MIN_OVERLAP_S
        and turn.end > other.end
    )


def words_per_minute(utterances: Iterable[Utterance], spoken: Iterable[Turn]) -> dict[str, float]:
    """Words per minute of the speaker's own speech, without pauses and without `suspect` words."""
    words: dict[str, int] = {}
    for utterance in utterances:
        sure = sum(not word.suspect for word in utterance.words)
        words[utterance.speaker] = words.get(utterance.speaker, 0) + sure
    return {
        speaker: round(60 * words.get(speaker, 0) / seconds, 1)
        for speaker, seconds in _seconds(spoken).items()
        if seconds >= MIN_RATE_SPEECH_S
    }


def longest_monologue_s(floor: Iterable[Turn]) -> dict[str, float]:
    """Longest time each speaker held the floor, own pauses included.

    Spurts of one speaker belong together while at most MONOLOGUE_PAUSE_S lies between them and nobody else starts a
    spurt of MIN_FLOOR_S in the meantime; a listener's backchannels do not end them.
    """
    longest: dict[str, float] = {}
    holding: dict[str, Turn] = {}
    for turn in floor:
        held = holding.get(turn.speaker, turn)
        goes_on = turn.start - held.end <= MONOLOGUE_PAUSE_S
        held = Turn(held.start if goes_on else turn.start, turn.end, turn.speaker)
        if turn.end - turn.start >= MIN_FLOOR_S:
            holding.clear()
        holding[turn.speaker] = held
        longest[turn.speaker] = max(longest.get(turn.speaker, 0.0), held.end - held.start)
    return {speaker: round(seconds, 2) for speaker, seconds in longest.items()}


def median_pause_before_answer_s(utterances: Sequence[Utterance], spoken: Sequence[Turn]) -> float | None:
    """Median silence between a question and the next speaker's first word; an answer that overlaps counts as 0.

    A question is an utterance whose last sentence ends in a question mark. Its end and the answer's start are moved to
    the nearest edge of that speaker's turns within a second: diarization is more exact there than ASR.
    """
    starts = _edges(spoken, "start")
    ends = _edges(spoken, "end")
    pauses = [
        max(0.0, _nearest(starts, answer.speaker, answer.start) - _nearest(ends, question.speaker, question.end))
        for question, answer in pairwise(utterances)
        if question.speaker != answer.speaker and question.words and is_question(question.words[-1].text)
    ]
    return round(median(pauses), 2) if pauses else None


def questions_asked(utterances: Iterable[Utterance]) -> dict[str, int]:
    """Count each speaker's sentences that end in a question mark."""
    asked: dict[str, int] = {}
    for utterance in utterances:
        questions = sum(ends_sentence(w.text) and is_question(w.text) and not w.suspect for w in utterance.words)
        asked[utterance.speaker] = asked.get(utterance.speaker, 0) + questions
    return asked


def coverage(transcription: Transcription) -> float | None:
    """Share of the detected speech that words cover; None where no speech was detected."""
    if transcription.speech_s <= 0:
        return None
    return round(min(1.0, transcription.covered_s / transcription.speech_s), 3)


def _order(turn: Turn) -> tuple[float, float, str]:
    return turn.start, turn.end, turn.speaker


def _seconds(spoken: Iterable[Turn]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for turn in spoken:
        seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + max(0.0, turn.end - turn.start)
    return seconds


def _edges(spoken: Iterable[Turn], side: str) -> dict[str, list[float]]:
    edges: dict[str, list[float]] = {}
    for turn in spoken:
        edges.setdefault(turn.speaker, []).append(getattr(turn, side))
    return edges


def _nearest(edges: dict[str, list[float]], speaker: str, moment: float) -> float:
    """The speaker's edge nearest to a moment, or the moment itself when none lies within a second."""
    sides = edges.get(speaker, [])
    index = bisect_right(sides, moment)
    near = [edge for edge in sides[max(0, index - 1) : index + 1] if abs(edge - moment) <= 1]
    return min(near, key=lambda edge: abs(edge - moment), default=moment)
