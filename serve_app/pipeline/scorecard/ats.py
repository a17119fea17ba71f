"""Scorecards in the forms that applicant tracking systems take. Nothing is sent: the caller sends it.

Ashby's `applicationFeedback.submit` takes a score as an integer from 1 to 4 and a rich text as a plain one.
The overall recommendation is left out of both: a person gives it.
"""

from typing import Any

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from serve_app.pipeline.scorecard.document import Score, Scorecard
from serve_app.pipeline.scorecard.text import judged_by, quote_line, score_of, to_plain_text

ASHBY_SCORES = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4}
"""Ashby's 3 and 4 speak for a candidate. The model advises to advance from a mean of 3.5, so its 3 becomes a 2."""


class FieldSubmission(TypedDict):
    """The value of a form field. The paths must be those of your form: rename them where they differ."""

    path: str
    value: dict[str, Any]


class FeedbackForm(TypedDict):
    """Values of Ashby's feedback form."""

    fieldSubmissions: list[FieldSubmission]


class AshbyFeedback(TypedDict):
    """A part of the body of Ashby's `applicationFeedback.submit`. Add the ids of form, application and user."""

    feedbackForm: FeedbackForm


class GreenhouseNote(TypedDict):
    """The body of a note in Greenhouse's activity feed of a candidate. Add your `user_id`."""

    body: str
    visibility: str


def to_ashby(card: Scorecard) -> AshbyFeedback:
    """Return two fields per competency, `<slug>` and `<slug>_notes`, and `notes`. No score, no score field."""
    fields: list[FieldSubmission] = []
    for score in card.scores or ():
        if score.score is not None:
            fields.append({"path": score.competency, "value": {"score": ASHBY_SCORES[score.score]}})
        fields.append(_text(f"{score.competency}_notes", _note(score)))
    fields.append(_text("notes", f"{card.notice} {judged_by(card)}. Job {card.job_id}."))
    return {"feedbackForm": {"fieldSubmissions": fields}}


def to_greenhouse(card: Scorecard) -> GreenhouseNote:
    """Return a private note with the whole scorecard as plain text."""
    return {"body": to_plain_text(card), "visibility": "private"}


def _note(score: Score) -> str:
    lines = [f"{score.name}: {score_of(score)}", score.rationale, *map(quote_line, score.evidence)]
    return "\n".join(line for line in lines if line)


def _text(path: str, text: str) -> FieldSubmission:
    return {"path": path, "value": {"type": "PlainText", "value": text}}
