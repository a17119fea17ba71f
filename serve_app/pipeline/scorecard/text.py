"""Scorecards as Markdown (CommonMark) and as plain text. Both have the same lines; only escapes and marks differ."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from serve_app.pipeline.exports import clock
from serve_app.pipeline.scorecard.document import Flag, Quote, Score, Scorecard, words

INLINE = re.compile(r"[\\`*_\[\]<>~|&#!$]")
"""Characters that may begin markup inside a line."""
AT_START = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
"""What makes a list, a heading or a rule of a line that begins with it."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a format writes texts that are not its own, headings, strong words and quotes."""

    text: Callable[[str], str]
    title: str
    heading: str
    strong: str
    quote: str


def _escaped(text: str) -> str:
    """The text with a backslash before all that may begin markup."""
    inline = INLINE.sub(r"\\\g<0>", text)
    return AT_START.sub(lambda mark: f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}", inline)


MARKDOWN = Style(_escaped, "# {}", "## {}", "**{}**", "> {}")
PLAIN = Style(str, "{}", "{}", "{}", "  {}")


def to_markdown(card: Scorecard) -> str:
    """Return the scorecard as Markdown. No text of it can become markup."""
    return "\n\n".join(_blocks(card, MARKDOWN)) + "\n"


def to_plain_text(card: Scorecard) -> str:
    """Return the scorecard as plain text."""
    return "\n\n".join(_blocks(card, PLAIN)) + "\n"


def score_of(score: Score) -> str:
    """The score in words: `4 of 5`, or why there is none."""
    if score.score is None:
        return f"no score ({score.reason})" if score.reason else "no score"
    return f"{score.score} of 5" + ("" if score.stable else " (the judge's passes disagree)")


def about(card: Scorecard) -> list[str]:
    """Facts of the scorecard, each in a few words."""
    facts = [f"Candidate: {card.candidate}" if card.candidate else "", f"Role: {card.role_title}"]
    facts.append(f"Label: {card.label}" if card.label else "")
    facts += [f"Interview of {card.created_at:%Y-%m-%d}, {card.duration}", f"Job {card.job_id}", judged_by(card)]
    return [fact for fact in facts if fact]


def judged_by(card: Scorecard) -> str:
    """The model and the versions of rubric and prompts."""
    return f"Judged by {card.model}, rubric {card.rubric_version}, prompt {card.prompt_version}"


def metric_lines(card: Scorecard) -> list[str]:
    """Talk metrics: a line for each speaker and one for all."""
    lines = []
    for one in card.speakers or ():
        facts = [f"{one.talk_ratio:.0%} of the talk"] if one.talk_ratio is not None else []
        if one.words_per_minute is not None:
            facts.append(f"{one.words_per_minute:.0f} words a minute")
        if one.longest_monologue_s is not None:
            facts.append(f"longest stretch {clock(one.longest_monologue_s)}")
        if one.questions_asked is not None:
            facts.append(f"questions: {one.questions_asked}")
        lines.append(f"{one.speaker}{f' ({one.role})' if one.role else ''}: {', '.join(facts)}")
    return [*lines, f"Interruptions: {card.interruptions}"]


def quote_line(quote: Quote) -> str:
    """Time, words and doubts of a quote."""
    unsure = ", ".join(f"“{word}”" for word in quote.unsure)
    return f"{quote.at} “{quote.text}”" + (f" (unsure: {unsure})" if unsure else "")


def _blocks(card: Scorecard, style: Style) -> Iterator[str]:
    yield style.title.format(style.text("Interview scorecard"))
    yield style.strong.format(card.notice)
    yield _list([*about(card), *card.remarks], style)
    if card.summary is not None:
        yield style.heading.format("Recommendation of the model: " + words(card.recommendation or ""))
        yield style.text(card.summary)
    yield from _scores(card.scores, style)
    yield from _listed("Highlights", card.highlights, style)
    yield from _flags(card.red_flags, style)
    yield from _listed("Questions for the next round", card.questions, style)
    if card.submittal_note:
        yield style.heading.format("Submittal note")
        yield style.text(card.submittal_note)
    yield from _listed("Reviews by people", card.reviews, style)
    if card.speakers is not None:
        yield from _listed("Talk metrics", metric_lines(card), style)
    if card.transcript:
        yield style.heading.format("Transcript")
        for turn in card.transcript:
            yield style.text(f"[{turn.at}] {turn.speaker}: {turn.text}")


def _scores(scores: Sequence[Score] | None, style: Style) -> Iterator[str]:
    if scores is None:
        return
    yield style.heading.format("Scores")
    for score in scores:
        yield style.strong.format(style.text(f"{score.name}: {score_of(score)}"))
        if score.rationale:
            yield style.text(score.rationale)
        yield from _quotes(score.evidence, style)


def _flags(flags: Sequence[Flag] | None, style: Style) -> Iterator[str]:
    if not flags:
        return
    yield style.heading.format("Red flags")
    for flag in flags:
        yield style.text(f"{flag.severity}: {flag.text}")
        yield from _quotes(flag.evidence, style)


def _listed(title: str, items: Sequence[str] | None, style: Style) -> Iterator[str]:
    if items:
        yield style.heading.format(title)
        yield _list(items, style)


def _list(items: Sequence[str], style: Style) -> str:
    return "\n".join(f"- {style.text(item)}" for item in items)


def _quotes(quotes: Sequence[Quote], style: Style) -> Iterator[str]:
    for quote in quotes:
        yield style.quote.format(style.text(quote_line(quote)))
