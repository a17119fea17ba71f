"""Scores for a finished interview of the fake models, which score nothing."""

from copy import deepcopy

from serve_app.jobs import queries
from serve_app.storage.database import Database


async def score(database: Database, job_id: str) -> None:
    """Give each competency level 4, with the last utterance as evidence, as a language model would."""
    async with database.transaction() as session:
        job = await queries.get_job(session, job_id)
        result = deepcopy(job.result)
        assert result
        row = result["transcript"][-1]
        quote = {"quote": row["text"], "start": row["start"], "end": row["end"], "speaker": row["speaker"]}
        for one in result["assessment"]["scores"].values():
            one |= {"score": 4, "rationale": "Told.", "evidence": [quote], "confidence": 0.9, "reason": None}
        result["assessment"] |= {"recommendation": "advance", "submittal_note": "A note."}
        job.result = result
        session.add(job)
