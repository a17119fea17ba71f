"""Who said which word, and the utterances a transcript shows.

ASR and diarization are both off by a few tenths of a second, so taking each word's best-overlapping speaker tears last
words off sentences at every change of speaker. Here the speakers of all words are chosen together: the path with the
most overlap, less a price for each change, which is low where people do change (after a sentence, in a pause) and high
in mid-sentence (Viterbi 1967). Pure: values in, values out; linear in words, turns and speakers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import TypeAlias

from serve_app.pipeline.sentences import ends_sentence, join
from serve_app.pipeline.types import Diarization, Transcription, Turn, Utterance, Word

ONLY_SPEAKER = "SPEAKER_00"

SWITCH_MID_SENTENCE = 1.2
"""Price of a change inside a sentence, in words: one word on the wrong side moves over, two that disagree do not.

On interviews and consultations with simulated boundary errors of 0.1 to 0.4 s, 0.8 to 1.6 came out alike: 11 to 83 %
fewer words with a wrong speaker than taking the best overlap."""
SWITCH_AFTER_SENTENCE = 0.1
PAUSE_THAT_FREES_S = 0.6
"""From this pause on, a change costs no more than after a sentence."""

OWN_TURN_S, OWN_TURN_TRUST = 0.45, 2.5
"""A turn of at least OWN_TURN_S that one word fills is an interjection, not a boundary error."""
OVERLAP_TRUST = 0.7
"""Part of a word's vote that goes to everybody heard during it; the rest is for the one who owns the moment. So
context decides in overlaps."""
NEAREST_TRUST = 0.3
"""Worth of the nearest turn where no turn covers the word."""

SURE_IN_OVERLAP = 0.6
"""A word said while two talk, of less confidence than this, is often made of both voices: no evidence of either's."""

BREAK_PAUSE_S = 2.0
"""A silence that starts a new utterance."""
LONG_S, LONGEST_S = 20.0, 60.0
"""An utterance ends with the first sentence after LONG_S, and anywhere after LONGEST_S."""

Votes: TypeAlias = dict[str, float]


def align(transcription: Transcription, diarization: Diarization) -> tuple[Utterance, ...]:
    """Give every word a speaker and group words to utterances, in time order; each word appears exactly once.

    Without any turn there is one speaker, `SPEAKER_00`. Where each speaker has a channel, the channel tells, and two
    who talk at once have an utterance each.
    """
    if diarization.channels and all(word.channel is not None for word in transcription.words):
        return _by_channel(transcription.words, diarization.channels)
    words = _doubt_mixtures(transcription.words, diarization)
    labels = label_words(words, diarization)
    spoken = zip(labels, words, strict=True)
    return tuple(
        _utterance(label, part)
        for label, run in groupby(spoken, key=lambda pair: pair[0])
        for part in _parts([word for _, word in run])
    )


def _doubt_mixtures(words: Sequence[Word], diarization: Diarization) -> list[Word]:
    """Mark unsure words as suspect where more than one speaker is heard for at least half of them."""
    heard = _covering(words, sorted(diarization.turns, key=lambda turn: turn.start))
    return [
        replace(word, suspect=True) if word.confidence < SURE_IN_OVERLAP and _talked_over(word, turns) else word
        for word, turns in zip(words, heard, strict=True)
    ]


def _talked_over(word: Word, turns: Sequence[Turn]) -> bool:
    return len({turn.speaker for turn in turns if _share(word, turn) >= 0.5}) > 1


def _by_channel(words: Sequence[Word], labels: Sequence[str]) -> tuple[Utterance, ...]:
    """Utterances in order of their starts. One ends where another speaker is heard in its pause."""
    parts: list[list[Word]] = []
    latest: dict[int, list[Word]] = {}
    before: Word | None = None
    for word in words:
        channel = word.channel or 0
        part = latest.get(channel)
        taken = before is not None and before.channel != word.channel
        if not part or _breaks(part, word) or (taken and word.start - part[-1].end >= PAUSE_THAT_FREES_S):
            part = latest[channel] = []
            parts.append(part)
        part.append(word)
        before = word
    return tuple(_utterance(labels[part[0].channel or 0], part) for part in parts)


def label_words(words: Sequence[Word], diarization: Diarization) -> list[str]:
    """Return one speaker label for each word."""
    owned = sorted(diarization.exclusive or diarization.turns, key=lambda turn: turn.start)
    if not owned or not words:
        return [ONLY_SPEAKER] * len(words)
    heard = sorted(diarization.turns, key=lambda turn: turn.start)
    votes = [
        _votes(word, own, under)
        for word, own, under in zip(words, _covering(words, owned), _covering(words, heard), strict=True)
    ]
    _vote_nearest(words, votes, owned)
    speakers = list(dict.fromkeys(turn.speaker for turn in owned))
    prices = [0.0, *(_price(before, after) for before, after in pairwise(words))]
    return _best_path(votes, prices, speakers)


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
    """Start and end of a word; one without length is taken as 20 ms around its moment."""
    return (word.start, word.end) if word.end > word.start else (word.start - 0.01, word.start + 0.01)


def _votes(word: Word, owners: Sequence[Turn], heard: Sequence[Turn]) -> Votes:
    """How much each speaker's turns speak for the word being theirs."""
    votes: Votes = {}
    for turns, weight in ((owners, 1 - OVERLAP_TRUST), (heard, OVERLAP_TRUST)):
        for turn in turns:
            votes[turn.speaker] = votes.get(turn.speaker, 0.0) + weight * _share(word, turn) * _trust(word, turn)
    return votes


def _share(word: Word, turn: Turn) -> float:
    start, end = _span(word)
    return max(0.0, min(end, turn.end) - max(start, turn.start)) / (end - start)


def _trust(word: Word, turn: Turn) -> float:
    """How far a turn can be trusted about a word: most where the turn is made of it."""
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


def _price(before: Word, after: Word) -> float:
    """Price of a change of speaker between two words."""
    if ends_sentence(before.text):
        return SWITCH_AFTER_SENTENCE
    tied = 1 - min(1.0, max(0.0, after.start - before.end) / PAUSE_THAT_FREES_S)
    return max(SWITCH_MID_SENTENCE * tied, SWITCH_AFTER_SENTENCE)


def _best_path(votes: Sequence[Votes], prices: Sequence[float], speakers: Sequence[str]) -> list[str]:
    """Viterbi over speakers: O(words · speakers). A tie stays with the speaker who talks."""
    score = dict.fromkeys(speakers, 0.0)
    came_from: list[dict[str, str]] = []
    for vote, price in zip(votes, prices, strict=True):
        best = max(speakers, key=score.__getitem__)
        switched = score[best] - price
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
