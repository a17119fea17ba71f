"""The job as its description names it: which tools it asks for, and which of them nobody spoke of."""

import re
from collections.abc import Sequence
from dataclasses import replace

from serve_app.pipeline.assessment.judges.points import alike
from serve_app.pipeline.types import AssessmentRequest, Rubric, Utterance

MOST_TERMS = 30
MOST_ASKED = 3
"""Terms named in one question."""
SPELT_ALIKE = 0.6
"""Trigram overlap at which a recogniser's spelling ("postgres") is taken for the term ("PostgreSQL")."""
DESCRIPTION_WORDS = 150
_TERM = re.compile(
    r"(?<![.?!:•*\n-] )(?<!^)(?<!\n)\b(?:[A-Z][a-z]{2,}|\w*[a-z]\w*[A-Z]\w*|[A-Z]{2,}\d*|[A-Z][a-z]+\d)\b"
)
"""A name inside a sentence: Kubernetes, PostgreSQL, AWS. The first word of a sentence or list item may be any word."""
_NO_TOOL = re.compile(
    r"the|and|you|our|we|for|with|your|this|that|are|must|will|have|senior|junior|lead|engineer|manager|developer|team|"
    r"experience|monday|friday|january|gmbh|inc|ltd|llc|english|german|french|spanish|europe\w*|usa?|uk|eu",
    re.IGNORECASE,
)


def terms(description: str) -> tuple[str, ...]:
    """The tools and methods a job description names, in its order."""
    found = dict.fromkeys(term for term in _TERM.findall(description) if not _NO_TOOL.fullmatch(term))
    return tuple(found)[:MOST_TERMS]


def with_job(request: AssessmentRequest) -> Rubric:
    """The rubric with the job's tools among the cues of what is about the role: they find passages, no more."""
    cues = tuple(term.lower() for term in terms(request.job_description))
    return replace(
        request.rubric,
        competencies=tuple(
            replace(c, cues=(*c.cues, *cues)) if c.of_role else c for c in request.rubric.competencies
        ),
    )  # fmt: skip


def question_about_the_rest(request: AssessmentRequest) -> tuple[str, ...]:
    """A question for the next round about tools of the job that neither side mentioned; none when all were."""
    heard = _heard(request.utterances)
    missing = [term for term in terms(request.job_description) if not _mentioned(term.lower(), heard)][:MOST_ASKED]
    if not missing:
        return ()
    return (f"The interview did not come to {', '.join(missing)}, which the job asks for. What have you done with it?",)


def background(request: AssessmentRequest) -> str:
    """The job in a few lines, as data for a model that reads it; names the role alone when nothing else is known."""
    text = " ".join(request.job_description.split()[:DESCRIPTION_WORDS])
    return f"The role: {request.role_title}." + (f"\n<job>\n{plain(text)}\n</job>" if text else "")


def plain(text: str) -> str:
    """Text that cannot close the frame it stands in."""
    return text.replace("<", "‹").replace(">", "›")


def _heard(utterances: Sequence[Utterance]) -> set[str]:
    return {word for utterance in utterances for word in re.findall(r"[a-z0-9]+", utterance.text.lower())}


def _mentioned(term: str, heard: set[str]) -> bool:
    return term in heard or any(alike(term, word) >= SPELT_ALIKE for word in heard)
