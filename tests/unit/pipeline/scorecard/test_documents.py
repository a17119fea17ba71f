"""Scorecards in every format, opened and read back by parsers that are not ours."""

import copy
import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import docx
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from serve_app.http.examples import RESULT
from serve_app.pipeline.scorecard.ats import ASHBY_SCORES, to_ashby, to_greenhouse
from serve_app.pipeline.scorecard.document import (
    DEFAULT_SECTIONS,
    HIDDEN,
    NOTICE,
    Heading,
    Section,
    make_scorecard,
    one_line,
)
from serve_app.pipeline.scorecard.docx import to_docx
from serve_app.pipeline.scorecard.pdf import to_pdf
from serve_app.pipeline.scorecard.table import to_table
from serve_app.pipeline.scorecard.text import to_markdown, to_plain_text

HEADING = Heading("job_9f2c81d4a0b34e7f9d21", "Backend Engineer", datetime(2026, 11, 24, 9, tzinfo=UTC))
MARKUP = (
    '#eval("1+1") $x$ *bold* _it_ `code` @ref <label> = H // c /* c */ \\ #import "x.typ" [link](http://x) <b>& 1. -'
)
"""Markup of typst, Markdown and HTML."""


def read_pdf(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


def read_docx(content: bytes) -> str:
    document = docx.Document(io.BytesIO(content))
    return "\n".join(paragraph.text for paragraph in [*document.sections[0].footer.paragraphs, *document.paragraphs])


def read_markdown(text: str) -> str:
    """The text of rendered Markdown. Fails on any link, image, code or HTML: a scorecard has none."""
    shown = []
    for block in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        assert block.type not in {"html_block", "code_block", "fence", "table_open", "hr"}, block
        for token in block.children or ():
            assert token.type in {"text", "text_special", "strong_open", "strong_close"}, token
            shown.append(token.content)
        shown.append("\n")
    return "".join(shown)


def flat(text: str) -> str:
    """The text without white space, which formats break lines at."""
    return re.sub(r"\s", "", text)


READERS: dict[str, Callable[[Any], str]] = {
    "pdf": lambda card: read_pdf(to_pdf(card)),
    "docx": lambda card: read_docx(to_docx(card)),
    "md": lambda card: read_markdown(to_markdown(card)),
    "txt": to_plain_text,
}
TABLES: dict[str, Callable[[Any], str]] = {
    "csv": to_table,
    "ashby": lambda card: json.dumps(to_ashby(card), ensure_ascii=False),
    "greenhouse": lambda card: json.dumps(to_greenhouse(card), ensure_ascii=False),
}


def with_text(text: str) -> dict[str, Any]:
    """The example result with this text in every field that comes from people or models."""
    result = copy.deepcopy(RESULT)
    assessment = result["assessment"]
    assessment |= {"summary": text, "highlights": [text], "questions_for_next_round": [text], "submittal_note": text}
    (score,) = assessment["scores"].values()
    score |= {"rationale": text, "evidence": [score["evidence"][0] | {"quote": text}]}
    assessment["red_flags"] = [{"text": text, "severity": "high", "evidence": score["evidence"]}]
    result["rubric"]["competencies"][0]["name"] = text
    result["transcript"][0]["text"] = text
    return result


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in (READERS | TABLES).items()])
def test_every_format_says_that_a_person_decides_and_who_judged(read: Callable[[Any], str]) -> None:
    """The notice, the model, the rubric's version, the rationale and the quote are in each of them."""
    text = flat(read(make_scorecard(RESULT, HEADING)))
    score = RESULT["assessment"]["scores"]["problem_solving"]
    expected = [NOTICE, "qwen3-8b-instruct", "2026-12", score["rationale"], score["evidence"][0]["quote"]]
    assert [one for one in expected if flat(one) not in text] == []


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in READERS.items()])
def test_documents_hold_the_sections_that_were_asked_for(read: Callable[[Any], str]) -> None:
    """By default all but the transcript; a section that was not asked for is not there."""
    titles = {
        Section.SUMMARY: "Recommendation of the model: advance", Section.SCORES: "4 of 5",
        Section.HIGHLIGHTS: "Highlights", Section.QUESTIONS: "Questions for the next round",
        Section.SUBMITTAL_NOTE: "Submittal note", Section.METRICS: "59% of the talk",
        Section.TRANSCRIPT: "How did you find the cause?", Section.REVIEWS: "Reviews by people",
    }  # fmt: skip
    for wanted in (DEFAULT_SECTIONS, (Section.SCORES,), (Section.TRANSCRIPT, Section.METRICS)):
        text = flat(read(make_scorecard(RESULT, HEADING, wanted)))
        assert {section for section, title in titles.items() if flat(title) in text} == set(wanted) - {
            Section.RED_FLAGS  # the example has none
        }


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in READERS.items()])
def test_markup_in_texts_stays_text(read: Callable[[Any], str]) -> None:
    """Whatever a candidate, a caller or a model writes is shown as it is, in every field."""
    card = make_scorecard(with_text(MARKUP), HEADING, list(Section))
    assert flat(read(card)).count(flat(MARKUP)) >= 9


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_any_text_can_be_exported(text: str) -> None:
    """No letter of any script breaks a format, and Markdown shows all of them."""
    card = make_scorecard(with_text(text), HEADING, list(Section))
    assert to_pdf(card).startswith(b"%PDF-")
    assert to_docx(card).startswith(b"PK")
    assert len(list(csv.reader(io.StringIO(to_table(card), newline="")))) == 2
    assert flat(one_line(text)) in flat(read_markdown(to_markdown(card)))


def test_a_pdf_is_tagged_and_says_what_it_is() -> None:
    """It has a title, a language and tags, as PDF/UA-1 asks."""
    reader = pypdf.PdfReader(io.BytesIO(to_pdf(make_scorecard(RESULT, HEADING))))
    assert reader.metadata is not None
    assert reader.metadata.title == "Interview scorecard"
    assert reader.root_object["/MarkInfo"]["/Marked"]
    assert reader.root_object["/Lang"] == "en"


def test_the_same_scorecard_is_the_same_pdf() -> None:
    """No time of day and no random id is in it."""
    card = make_scorecard(RESULT, HEADING)
    assert to_pdf(card) == to_pdf(card)


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in (READERS | TABLES).items()])
def test_a_hidden_name_is_in_no_format(read: Callable[[Any], str]) -> None:
    """Name and label are left out, and their words are replaced where they were said; words of the role stay."""
    result = with_text("I am jane, Jane Doe, an engineer.")
    result["rubric"]["competencies"][0]["name"] = "Problem solving"
    heading = replace(HEADING, candidate="Jane Doe", label="Second talk with Jane, Engineer")
    shown = read(make_scorecard(result, heading, list(Section)))
    hidden = read(make_scorecard(result, heading, list(Section), hide_name=True))
    assert re.search("jane doe", shown, re.IGNORECASE)
    assert not re.search("jane|doe", hidden, re.IGNORECASE)
    assert flat(f"I am {HIDDEN}, {HIDDEN} {HIDDEN}, an engineer.") in flat(hidden)


def test_a_competency_without_a_score_says_why() -> None:
    """The reason is in words, and Ashby gets no score for it."""
    result = copy.deepcopy(RESULT)
    result["assessment"]["scores"]["problem_solving"] |= {"score": None, "reason": "not_asked", "evidence": []}
    card = make_scorecard(result, HEADING)
    assert "Problem solving: no score (not asked)" in to_plain_text(card)
    assert [field["path"] for field in to_ashby(card)["feedbackForm"]["fieldSubmissions"]] == [
        "problem_solving_notes",
        "notes",
    ]


def test_ashby_gets_scores_on_its_scale_and_no_recommendation() -> None:
    """The mapping is the published one, keeps the order, and the note holds the score of 5."""
    assert ASHBY_SCORES == {1: 1, 2: 2, 3: 2, 4: 3, 5: 4}
    first, note, last = to_ashby(make_scorecard(RESULT, HEADING))["feedbackForm"]["fieldSubmissions"]
    assert first == {"path": "problem_solving", "value": {"score": 3}}
    assert (note["path"], note["value"]["type"]) == ("problem_solving_notes", "PlainText")
    assert note["value"]["value"].startswith("Problem solving: 4 of 5\n")
    assert last["path"] == "notes"


def test_what_limits_the_result_is_said() -> None:
    """No speech, an uncertain candidate, unread parts and invented words are named."""
    unsure = RESULT | {"candidate": {"speaker": None, "confidence": 0.5, "source": "guess", "min_confidence": 0.75}}
    unsure |= {"input": {"tracks": [], "warnings": ["Damaged: 2.0 s."]}}
    assert make_scorecard(unsure, HEADING).remarks == [
        "It is not certain which speaker is the candidate. Nothing was scored.",
        "Damaged: 2.0 s.",
    ]
    silent = make_scorecard(unsure | {"no_speech": True}, HEADING).remarks
    assert silent[0] == "No speech was recognised in the recording."
    row = {"start": 0.0, "end": 2.0, "speaker": "SPEAKER_01", "text": "Yes. Thanks for watching."}
    suspect = [{"start": 0.5, "end": 2.0, "text": "Thanks for watching."}]
    told = make_scorecard(RESULT | {"transcript": [row | {"suspect": suspect}]}, HEADING, [Section.TRANSCRIPT])
    assert told.remarks[-1] == "Words in [?…] were probably invented by the recogniser."
    assert "Yes. [?Thanks for watching.]" in to_plain_text(told)


def test_results_of_older_versions_are_exported() -> None:
    """Fields that came later are not needed."""
    old = {name: RESULT[name] for name in ("duration_s", "transcript")}
    old["metrics"] = {"talk_ratio": {"SPEAKER_00": 0.41}, "interruptions": 1}
    old["assessment"] = {
        name: RESULT["assessment"][name]
        for name in (
            "summary",
            "recommendation",
            "highlights",
            "red_flags",
            "questions_for_next_round",
            "submittal_note",
        )
    } | {"scores": {"problem_solving": {"score": 4, "rationale": "Why."}}}
    text = to_plain_text(make_scorecard(old, HEADING, list(Section)))
    assert "Problem solving: 4 of 5" in text
    assert "Judged by unknown" in text


def test_a_formula_in_a_table_stays_text() -> None:
    """A spreadsheet shows it and does not run it."""
    (row,) = csv.DictReader(io.StringIO(to_table(make_scorecard(with_text("=1+1"), HEADING)), newline=""))
    assert row["rationale"] == "'=1+1"
    assert (row["job_id"], row["score"], row["notice"]) == (HEADING.job_id, "4", NOTICE)


def test_a_persons_review_stands_beside_the_models_values() -> None:
    """A line holds who reviewed, when, both scores, the reason and the note; a candidate's given name can be hidden."""
    review = {
        "reviewer": "R. Viewer", "recommendation": "hold", "model_recommendation": "advance", "note": "Ask Jane again.",
        "scores": {"problem_solving": {"score": None, "reason": "One case only.", "model_score": 4}},
        "model": "m", "rubric_version": "1", "created_at": "2026-11-24T10:00:00", "updated_at": "2026-11-25T10:00:00",
    }  # fmt: skip
    speakers = copy.deepcopy(RESULT["speakers"])
    speakers["SPEAKER_01"]["name"] = "Jane Doe"
    reviewed = RESULT | {"reviews": [review], "speakers": speakers}
    told = "R. Viewer, 2026-11-25; hold (model: advance); problem solving no score (model: 4): One case only.; Ask "
    card = make_scorecard(reviewed, HEADING, list(Section))
    assert (card.candidate, card.reviews) == ("Jane Doe", [f"{told}Jane again."])
    hidden = to_plain_text(make_scorecard(reviewed, HEADING, list(Section), hide_name=True))
    assert f"{told}[name] again." in hidden
    assert "Jane" not in hidden
