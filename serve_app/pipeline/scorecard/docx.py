"""Scorecards as Word documents."""

import io
from collections.abc import Sequence

import docx
from docx.document import Document
from docx.shared import Pt

from serve_app.pipeline.scorecard.document import Quote, Scorecard, words
from serve_app.pipeline.scorecard.text import about, metric_lines, quote_line, score_of

BULLET, QUOTE = "List Bullet", "Intense Quote"


def to_docx(card: Scorecard) -> bytes:
    """Return a .docx with headings, lists and quotes in Word's own styles."""
    out = docx.Document()
    out.core_properties.title = "Interview scorecard"
    out.core_properties.author = out.core_properties.comments = ""
    out.core_properties.created = out.core_properties.modified = card.created_at.replace(tzinfo=None)
    out.styles["Normal"].font.size = Pt(10.5)
    out.sections[0].footer.paragraphs[0].text = card.notice
    out.add_heading("Interview scorecard", 1)
    out.add_paragraph().add_run(card.notice).bold = True
    _list(out, about(card))
    _list(out, card.remarks)
    _summary(out, card)
    _scores(out, card)
    _listed(out, "Highlights", card.highlights)
    _flags(out, card)
    _listed(out, "Questions for the next round", card.questions)
    if card.submittal_note:
        out.add_heading("Submittal note", 2)
        out.add_paragraph(card.submittal_note)
    _listed(out, "Reviews by people", card.reviews)
    if card.speakers is not None:
        _listed(out, "Talk metrics", metric_lines(card))
    if card.transcript:
        out.add_heading("Transcript", 2)
        for turn in card.transcript:
            paragraph = out.add_paragraph(f"{turn.at} ")
            paragraph.add_run(f"{turn.speaker}: ").bold = True
            paragraph.add_run(turn.text)
    file = io.BytesIO()
    out.save(file)
    return file.getvalue()


def _summary(out: Document, card: Scorecard) -> None:
    if card.summary is not None:
        out.add_heading(f"Recommendation of the model: {words(card.recommendation or '')}", 2)
        out.add_paragraph(card.summary)


def _scores(out: Document, card: Scorecard) -> None:
    if card.scores is None:
        return
    out.add_heading("Scores", 2)
    for score in card.scores:
        out.add_paragraph().add_run(f"{score.name}: {score_of(score)}").bold = True
        if score.rationale:
            out.add_paragraph(score.rationale)
        _quotes(out, score.evidence)


def _flags(out: Document, card: Scorecard) -> None:
    if card.red_flags:
        out.add_heading("Red flags", 2)
        for flag in card.red_flags:
            out.add_paragraph(f"{flag.severity}: {flag.text}")
            _quotes(out, flag.evidence)


def _listed(out: Document, title: str, items: Sequence[str] | None) -> None:
    if items:
        out.add_heading(title, 2)
        _list(out, items)


def _list(out: Document, items: Sequence[str]) -> None:
    for item in items:
        out.add_paragraph(item, style=BULLET)


def _quotes(out: Document, quotes: Sequence[Quote]) -> None:
    for quote in quotes:
        out.add_paragraph(quote_line(quote), style=QUOTE)
