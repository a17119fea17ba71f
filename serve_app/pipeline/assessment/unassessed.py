"""Recordings that are not assessed: without speech, or in a language that is not judged.

No model is asked, and every text gives the reason.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from serve_app.pipeline.languages import JUDGED, UNKNOWN, name_of
from serve_app.pipeline.types import Assessment, CompetencyScore, Rubric, Transcription

Reason: TypeAlias = Literal["no_speech", "language_unsupported"]

NO_SPEECH = "No speech was recognised in the recording."
NOT_UNDERSTOOD = "The speech was not understood: it is probably in another language. Nothing is scored."
_WHAT_TO_DO = {
    "no_speech": "Play the file to check that it holds the conversation, then submit it again.",
    "language_unsupported": "Transcript and talk metrics are there. If it is in English, submit it again with "
    "`language` en.",
    UNKNOWN: "Play the recording. Nothing in the transcript can be relied on.",
}


def has_speech(transcription: Transcription) -> bool:
    """Whether there is a word that the recogniser has not probably invented, or speech that it did not understand."""
    return transcription.language == UNKNOWN or any(not word.suspect for word in transcription.words)


def reason_not_to_assess(transcription: Transcription) -> Reason | None:
    """Why a transcription is not assessed; None when it is."""
    if not has_speech(transcription):
        return "no_speech"
    return None if transcription.language in JUDGED else "language_unsupported"


def not_assessed(rubric: Rubric, reason: Reason, language: str) -> Assessment:
    """An assessment without scores, for this reason."""
    why = NO_SPEECH if reason == "no_speech" else language_unsupported(language)
    what_to_do = _WHAT_TO_DO[UNKNOWN if language == UNKNOWN else reason]
    return Assessment(
        summary=f"{why} {what_to_do}",
        recommendation="insufficient_evidence",
        scores={competency.slug: CompetencyScore(None, why, reason=reason) for competency in rubric.competencies},
        highlights=(),
        red_flags=(),
        questions_for_next_round=(),
        submittal_note=f"{why} It says nothing about the candidate.",
        model="none",
        rubric_version=rubric.version,
        prompt_version=rubric.prompt_version,
    )


def notices(result: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reader of a public result must know first: that its language is not assessed. Or nothing."""
    language = result.get("language", "en")  # results of older versions may lack it
    return () if language in JUDGED else (language_unsupported(language),)


def language_unsupported(language: str) -> str:
    """Why speech of a language is not assessed, in a sentence or two."""
    if language == UNKNOWN:
        return NOT_UNDERSTOOD
    return f"The recording is in {name_of(language)}. Only English is assessed, so nothing is scored."
