"""The job description: the tools it names, and those that the interview did not mention."""

import re
from collections.abc import Sequence
from dataclasses import replace

from serve_app.pipeline.assessment.words import similarity
from serve_app.pipeline.types import AssessmentRequest, Rubric, Utterance

MAX_TERMS = 30
MAX_ASKED = 3
"""Terms in one question."""
SPELT_ALIKE = 0.6
"""Trigram similarity at which a recogniser's spelling ("postgres") counts as the term ("PostgreSQL")."""
DESCRIPTION_WORDS = 150
_TERM = re.compile(
    r"(?<![.?!:•*\n-] )(?<!^)(?<!\n)\b(?:[A-Z][a-z]{2,}|\w*[a-z]\w*[A-Z]\w*|[A-Z]{2,}\d*|[A-Z][a-z]+\d)\b"
)
"""A name inside a sentence: Kubernetes, PostgreSQL, AWS. Skips the first word of a sentence or list item, where any
word has a capital."""
_NO_TOOL = re.compile(
    r"the|and|you|our|we|for|with|your|this|that|are|must|will|have|senior|junior|lead|engineer|manager|developer|team|"
    r"experience|monday|friday|january|gmbh|inc|ltd|llc|english|german|french|spanish|europe\w*|usa?|uk|eu",
    re.IGNORECASE,
)


def terms(description: str) -> tuple[str, ...]:
    """Return the tools and methods that a job description names, in its order, at most MAX_TERMS."""
    distinct = dict.fromkeys(term for term in _TERM.findall(description) if not _NO_TOOL.fullmatch(term))
    return tuple(distinct)[:MAX_TERMS]


def rubric_with_job_terms(request: AssessmentRequest) -> Rubric:
    """Return the rubric with the job's tools as cues of role competencies. Cues find passages; they score nothing."""
    cues = tuple(term.lower() for term in terms(request.job_description))
    return replace(
        request.rubric,
        competencies=tuple(
            replace(c, cues=(*c.cues, *cues)) if c.of_role else c for c in request.rubric.competencies
        ),
    )  # fmt: skip


def question_about_missing_terms(request: AssessmentRequest) -> tuple[str, ...]:
    """Return one question about the job's tools that neither side mentioned, or none."""
    spoken = _spoken_words(request.utterances)
    missing = [term for term in terms(request.job_description) if not _mentioned(term.lower(), spoken)][:MAX_ASKED]
    if not missing:
        return ()
    return (f"The interview did not come to {', '.join(missing)}, which the job asks for. What have you done with it?",)


def job_background(request: AssessmentRequest) -> str:
    """Return the job in a few lines, as data for a language model. Without a description: the role alone."""
    text = " ".join(request.job_description.split()[:DESCRIPTION_WORDS])
    return f"The role: {request.role_title}." + (f"\n<job>\n{escape(text)}\n</job>" if text else "")


def escape(text: str) -> str:
    """Replace angle brackets, so that the text cannot close the tag it stands in."""
    return text.replace("<", "‹").replace(">", "›")


def _spoken_words(utterances: Sequence[Utterance]) -> set[str]:
    return {word for utterance in utterances for word in re.findall(r"[a-z0-9]+", utterance.text.lower())}


def _mentioned(term: str, spoken: set[str]) -> bool:
    return term in spoken or any(similarity(term, word) >= SPELT_ALIKE for word in spoken)
