"""Scores for a finished interview of the fake models, which score nothing."""

from copy import deepcopy
from typing import Any

from serve_app.jobs import queries
from serve_app.storage.database import Database
from tests.support.sample import INTERVIEW


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


async def lengthen(database: Database, job_id: str, words: int) -> None:
    """Give an interview a transcript of so many words, and evidence from its start, middle and end."""
    lines = [line["text"] for line in INTERVIEW["turns"]]
    sizes = [len(line.split()) for line in lines]
    rows: list[dict[str, Any]] = []
    at, said = 0.0, 0
    while said < words:
        turn = len(rows) % len(lines)
        speaker = "SPEAKER_00" if INTERVIEW["turns"][turn]["speaker"] == "interviewer" else "SPEAKER_01"
        end = at + 0.4 * sizes[turn]
        rows.append({"start": round(at, 2), "end": round(end, 2), "speaker": speaker, "text": lines[turn]})
        at, said = end + 0.3, said + sizes[turn]
    answers = [row for row in rows if row["speaker"] == "SPEAKER_01"]
    async with database.transaction() as session:
        job = await queries.get_job(session, job_id)
        result = deepcopy(job.result)
        assert result
        result |= {"transcript": rows, "duration_s": at}
        for number, one in enumerate(result["assessment"]["scores"].values()):
            row = answers[number * (len(answers) - 1) // 4]
            quote = {"quote": row["text"], "start": row["start"], "end": row["end"], "speaker": row["speaker"]}
            one |= {"score": 1 + number, "rationale": "Told.", "evidence": [quote], "confidence": 0.9, "reason": None}
        job.result, job.duration_s = result, at
        session.add(job)
