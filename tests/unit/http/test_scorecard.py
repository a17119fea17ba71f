"""The scorecard page's view of a result: what evidence links to, and how the transcript is cut."""

from copy import deepcopy
from typing import Any

from serve_app.http.examples import RESULT
from serve_app.http.pages.scorecard import Piece, Scorecard, names


def result(transcript: list[dict[str, Any]], evidence: list[dict[str, Any]]) -> dict[str, Any]:
    """The documented example with another transcript and other evidence."""
    changed = deepcopy(RESULT)
    changed["transcript"] = transcript
    changed["assessment"]["scores"]["problem_solving"]["evidence"] = evidence
    return changed


def quoted(quote: str, start: float, speaker: str = "SPEAKER_01") -> dict[str, Any]:
    return {"quote": quote, "start": start, "end": start + 1, "speaker": speaker}


def row(text: str, start: float = 0.0, speaker: str = "SPEAKER_01", **more: Any) -> dict[str, Any]:
    return {"start": start, "end": start + 10, "speaker": speaker, "text": text} | more


def test_a_quote_links_to_its_words() -> None:
    """The words are cut out of the utterance that was spoken at that time, not out of an equal one elsewhere."""
    card = Scorecard(
        result([row("I fixed it."), row("First. I fixed it. Then lunch.", 20)], [quoted("I fixed it.", 21)])
    )
    first, second = card.lines
    mark = card.levels[0].quotes[0].target
    assert first.pieces == (Piece("I fixed it."),)
    assert second.pieces == (Piece("First. "), Piece("I fixed it.", mark=mark), Piece(" Then lunch."))


def test_equal_quotes_share_a_mark_and_overlapping_ones_link_to_the_utterance() -> None:
    """No mark is cut in two: a quote that overlaps another in part links to the whole utterance."""
    evidence = [quoted("one two", 1), quoted("one two", 1), quoted("two three", 1)]
    targets = [quote.target for quote in Scorecard(result([row("one two three")], evidence)).levels[0].quotes]
    assert targets[0] == targets[1]
    assert targets[2] == "u-0"


def test_doubtful_words_are_named_without_their_punctuation() -> None:
    """The note that lists them ends with one stop."""
    doubtful = [{"start": 1, "end": 2, "text": "milliseconds.", "confidence": 0.3}]
    card = Scorecard(result([row("In milliseconds.")], [quoted("In milliseconds.", 1) | {"doubtful": doubtful}]))
    assert card.levels[0].quotes[0].doubtful == ("milliseconds",)


def test_words_of_another_speaker_are_no_target() -> None:
    """The interviewer repeats the words at the same time; the link goes to the candidate's utterance."""
    rows = [row("I fixed it.", 0, "SPEAKER_00"), row("I fixed it.", 0.5)]
    (quote,) = Scorecard(result(rows, [quoted("I fixed it.", 0.6)])).levels[0].quotes
    assert quote.target.startswith("q-1-")


def test_evidence_without_a_transcript_links_to_its_heading() -> None:
    """A result without words has no line to link to."""
    assert Scorecard(result([], [quoted("lost", 3)])).levels[0].quotes[0].target == "transcript"


def test_doubtful_words_are_marked_and_no_text_is_lost() -> None:
    """Marks and doubtful words cut the text into pieces that join to the same text."""
    doubtful = {"text": "start the tool to", "start": 1, "end": 2}
    spoken = row("We start the tool to interrupt. I fixed it.", suspect=[doubtful])
    (line,) = Scorecard(result([spoken], [quoted("I fixed it.", 1)])).lines
    assert "".join(piece.text for piece in line.pieces) == spoken["text"]
    assert [piece.text for piece in line.pieces if piece.suspect] == ["start the tool to"]


def test_speakers_with_the_same_role_are_told_apart() -> None:
    """Two interviewers keep their labels; the only candidate needs none."""
    roles = {"A": "interviewer", "B": "candidate", "C": "interviewer"}
    speakers = {label: {"role": role, "confidence": 1.0} for label, role in roles.items()}
    assert names({"speakers": speakers}) == {"A": "Interviewer (A)", "B": "Candidate", "C": "Interviewer (C)"}


def test_the_picture_covers_the_whole_conversation() -> None:
    """Segments lie within the picture, in a lane for each speaker."""
    card = Scorecard(RESULT)
    assert {segment.lane for segment in card.ribbon.segments} == {0, 1}
    assert all(0 <= segment.x <= 1000 and segment.width >= 1 for segment in card.ribbon.segments)


def test_it_says_who_was_assessed_and_how_certain_that_is() -> None:
    """Guessed, stated, not certain enough, and a result from before there was such a field."""
    guess = RESULT["candidate"]
    assert Scorecard(RESULT).candidate == "Assessed: Candidate, 98% certain from the words."
    assert (
        Scorecard(RESULT | {"candidate": guess | {"source": "caller"}}).candidate == "Assessed: Candidate, as stated."
    )
    unsure = guess | {"speaker": None, "confidence": 0.51}
    assert "51%; 75% are needed" in Scorecard(RESULT | {"candidate": unsure}).candidate
    assert Scorecard({key: value for key, value in RESULT.items() if key != "candidate"}).candidate == ""
