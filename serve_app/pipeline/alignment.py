"""Assign words to speakers and group them into the utterances of a transcript.

ASR and diarization are each off by a few tenths of a second. Taking the speaker with the most overlap word by word
would cut the last word off many sentences. So the speakers of all words are chosen together: the sequence with the most
overlap, less a cost for each change of speaker. The cost is low after a sentence and in a pause, high inside a sentence
(Viterbi 1967). Pure functions; the time is linear in words, turns and speakers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import TypeAlias

from serve_app.pipeline.sentences import ends_sentence, join
from serve_app.pipeline.types import Diarization, Transcription, Turn, Utterance, Word

ONLY_SPEAKER = "SPEAKER_00"

SWITCH_MID_SENTENCE = 1.2
"""Cost of a change inside a sentence, in words: a single word with another speaker moves over, two words do not.

On interviews and consultations with simulated boundary errors of 0.1 to 0.4 s, all values from 0.8 to 1.6 gave 11 to
83 % fewer words with a wrong speaker than taking the best overlap."""
SWITCH_AFTER_SENTENCE = 0.1
PAUSE_THAT_FREES_S = 0.6
"""After a pause of this length, a change costs no more than after a sentence."""

OWN_TURN_S, OWN_TURN_TRUST = 0.45, 2.5
"""A turn of at least OWN_TURN_S that one word fills is an interjection, not a boundary error; its vote counts more."""
OVERLAP_TRUST = 0.7
"""Part of a word's vote that is shared by all speakers active during it. The rest goes to the speaker of the exclusive
turn. So the context decides where speech overlaps."""
NEAREST_TRUST = 0.3
"""Vote of the nearest turn where no turn covers the word."""

SURE_IN_OVERLAP = 0.6
"""A word of lower confidence than this during overlapped speech often mixes both speakers. It is no evidence."""

BREAK_PAUSE_S = 2.0
"""A silence that starts a new utterance."""
LONG_S, LONGEST_S = 20.0, 60.0
"""An utterance ends with the first sentence after LONG_S, and anywhere after LONGEST_S."""

Votes: TypeAlias = dict[str, float]


def align(transcription: Transcription, diarization: Diarization) -> tuple[Utterance, ...]:
    """Assign every word to a speaker and group words into utterances, in time order. Each word appears exactly once.

    Without any turn there is one speaker, `SPEAKER_00`. Where each speaker has a channel, the channel decides, and
    overlapping speakers have an utterance each.
    """
    if diarization.channels and all(word.channel is not None for word in transcription.words):
        return _by_channel(transcription.words, diarization.channels)
    words = _mark_overlapped(transcription.words, diarization)
    labels = label_words(words, diarization)
    spoken = zip(labels, words, strict=True)
    return tuple(
        _utterance(label, part)
        for label, run in groupby(spoken, key=lambda pair: pair[0])
        for part in _parts([word for _, word in run])
    )


def _mark_overlapped(words: Sequence[Word], diarization: Diarization) -> list[Word]:
    """Mark words of low confidence as suspect where two speakers are active for at least half of the word."""
    covering = _covering(words, sorted(diarization.turns, key=lambda turn: turn.start))
    return [
        replace(word, suspect=True) if word.confidence < SURE_IN_OVERLAP and _is_overlapped(word, turns) else word
        for word, turns in zip(words, covering, strict=True)
    ]


def _is_overlapped(word: Word, turns: Sequence[Turn]) -> bool:
    return len({turn.speaker for turn in turns if _share(word, turn) >= 0.5}) > 1


def _by_channel(words: Sequence[Word], labels: Sequence[str]) -> tuple[Utterance, ...]:
    """Utterances in order of their starts. A pause ends one if another speaker talks in it."""
    parts: list[list[Word]] = []
    latest: dict[int, list[Word]] = {}
    before: Word | None = None
    for word in words:
        channel = word.channel or 0
        part = latest.get(channel)
        interrupted = before is not None and before.channel != word.channel
        if not part or _breaks(part, word) or (interrupted and word.start - part[-1].end >= PAUSE_THAT_FREES_S):
            part = latest[channel] = []
            parts.append(part)
        part.append(word)
        before = word
    return tuple(_utterance(labels[part[0].channel or 0], part) for part in parts)


def label_words(words: Sequence[Word], diarization: Diarization) -> list[str]:
    """Return one speaker label for each word."""
    exclusive = sorted(diarization.exclusive or diarization.turns, key=lambda turn: turn.start)
    if not exclusive or not words:
        return [ONLY_SPEAKER] * len(words)
    turns = sorted(diarization.turns, key=lambda turn: turn.start)
    votes = [
        _votes(word, exclusive_turns, all_turns)
        for word, exclusive_turns, all_turns in zip(
            words, _covering(words, exclusive), _covering(words, turns), strict=True
        )
    ]
    _vote_nearest(words, votes, exclusive)
    speakers = list(dict.fromkeys(turn.speaker for turn in exclusive))
    costs = [0.0, *(_switch_cost(before, after) for before, after in pairwise(words))]
    return _best_path(votes, costs, speakers)


def _covering(words: Sequence[Word], turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """For each word, the turns that share time with it. Words and turns are sorted by start."""
    active: list[Turn] = []
    upcoming = 0
    for word in words:
        start, end = _span(word)
        while upcoming < len(turns) and turns[upcoming].start < end:
            active.append(turns[upcoming])
            upcoming += 1
        active = [turn for turn in active if turn.end > start]
        yield [turn for turn in active if turn.start < end]


def _span(word: Word) -> tuple[float, float]:
    """Start and end of a word; one without length counts as 20 ms around its time."""
    return (word.start, word.end) if word.end > word.start else (word.start - 0.01, word.start + 0.01)


def _votes(word: Word, exclusive: Sequence[Turn], turns: Sequence[Turn]) -> Votes:
    """Weighted overlap of the word with each speaker's turns."""
    votes: Votes = {}
    for group, weight in ((exclusive, 1 - OVERLAP_TRUST), (turns, OVERLAP_TRUST)):
        for turn in group:
            votes[turn.speaker] = votes.get(turn.speaker, 0.0) + weight * _share(word, turn) * _trust(word, turn)
    return votes


def _share(word: Word, turn: Turn) -> float:
    start, end = _span(word)
    return max(0.0, min(end, turn.end) - max(start, turn.start)) / (end - start)


def _trust(word: Word, turn: Turn) -> float:
    """Weight of a turn's vote for a word: higher where the word fills the turn."""
    length = turn.end - turn.start
    fills = length >= OWN_TURN_S and word.end - word.start > 0.6 * length and _share(word, turn) > 0.6
    return OWN_TURN_TRUST if fills else 1.0


def _vote_nearest(words: Sequence[Word], votes: Sequence[Votes], turns: Sequence[Turn]) -> None:
    """Let the nearest turn vote for each word that no turn covers."""
    following = 0
    for word, vote in zip(words, votes, strict=True):
        while following < len(turns) and turns[following].start < word.end:
            following += 1
        if any(vote.values()):
            continue
        around = turns[max(0, following - 1) : following + 1]
        nearest = min(around, key=lambda turn: max(turn.start - word.end, word.start - turn.end))
        vote[nearest.speaker] = NEAREST_TRUST


def _switch_cost(before: Word, after: Word) -> float:
    """Cost of a change of speaker between two words."""
    if ends_sentence(before.text):
        return SWITCH_AFTER_SENTENCE
    tied = 1 - min(1.0, max(0.0, after.start - before.end) / PAUSE_THAT_FREES_S)
    return max(SWITCH_MID_SENTENCE * tied, SWITCH_AFTER_SENTENCE)


def _best_path(votes: Sequence[Votes], costs: Sequence[float], speakers: Sequence[str]) -> list[str]:
    """Viterbi over speakers, O(words · speakers). A tie keeps the current speaker."""
    score = dict.fromkeys(speakers, 0.0)
    came_from: list[dict[str, str]] = []
    for vote, cost in zip(votes, costs, strict=True):
        best = max(speakers, key=score.__getitem__)
        switched = score[best] - cost
        back = {speaker: speaker if score[speaker] >= switched else best for speaker in speakers}
        score = {s: max(score[s], switched) + vote.get(s, 0.0) for s in speakers}
        came_from.append(back)
    path = [max(speakers, key=score.__getitem__)] if votes else []
    for back in reversed(came_from[1:]):
        path.append(back[path[-1]])
    return path[::-1]


def _parts(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Cut one speaker's words where a reader expects a new paragraph."""
    part: list[Word] = []
    for word in words:
        if part and _breaks(part, word):
            yield part
            part = []
        part.append(word)
    yield part


def _breaks(part: Sequence[Word], word: Word) -> bool:
    length = part[-1].end - part[0].start
    silent = word.start - part[-1].end >= BREAK_PAUSE_S
    return silent or length >= LONGEST_S or (length >= LONG_S and ends_sentence(part[-1].text))


def _utterance(speaker: str, words: Sequence[Word]) -> Utterance:
    end = max(word.end for word in words)
    return Utterance(words[0].start, end, speaker, join(words), tuple(words))
