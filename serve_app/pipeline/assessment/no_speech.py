"""The assessment of a recording without speech. No model is asked, and every text gives the reason."""

from serve_app.pipeline.types import Assessment, CompetencyScore, Rubric, Transcription

NO_SPEECH = "No speech was recognised in the recording."
WHAT_TO_DO = "Play the file to check that it holds the conversation, then submit it again."


def has_speech(transcription: Transcription) -> bool:
    """Whether there is a word that the recogniser has not probably invented."""
    return any(not word.suspect for word in transcription.words)


def assessment_without_speech(rubric: Rubric) -> Assessment:
    """An assessment without scores, reason `no_speech`."""
    unscored = CompetencyScore(None, NO_SPEECH, reason="no_speech")
    return Assessment(
        summary=f"{NO_SPEECH} {WHAT_TO_DO}",
        recommendation="insufficient_evidence",
        scores={competency.slug: unscored for competency in rubric.competencies},
        highlights=(),
        red_flags=(),
        questions_for_next_round=(),
        submittal_note=f"{NO_SPEECH} It says nothing about the candidate.",
        model="none",
        rubric_version=rubric.version,
        prompt_version=rubric.prompt_version,
    )
