"""Example responses of every operation, for the OpenAPI document. A test validates each against its schema."""

import json
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from serve_app.http.request_examples import RUBRIC
from serve_app.pipeline.scorecard.document import Heading, make_scorecard
from serve_app.pipeline.scorecard.table import to_table
from serve_app.pipeline.scorecard.text import to_markdown

JOB_ID = "job_9f2c81d4a0b34e7f9d21"
KEY_ID = "key_5d1e07c2b9f84a63e210"
URLS = {"status_url": f"/v1/jobs/{JOB_ID}", "events_url": f"/v1/jobs/{JOB_ID}/events"}
TOKEN = "ImpvYl85ZjJjODFkNGEwYjM0ZTdmOWQyMSI.aSQ7Gg.3Jm0b1xq2u"  # noqa: S105 - invented
EVIDENCE = {
    "quote": "I compared the traces and found the lock.",
    "start": 21.4,
    "end": 24.0,
    "speaker": "SPEAKER_01",
    "doubtful": [{"start": 22.9, "end": 23.3, "text": "traces", "confidence": 0.44}],
}

SUBMITTED = {"job_id": JOB_ID, "status": "queued", "credits_charged": 7, "credits_remaining": 93, **URLS}
REVIEW: dict[str, Any] = {
    "reviewer": "Interviewer 3",
    "recommendation": "advance",
    "model_recommendation": "advance",
    "scores": {"problem_solving": {"score": 5, "reason": "Also prevented a repeat.", "model_score": 4}},
    "note": None,
    "model": "qwen3-8b-instruct",
    "rubric_version": "2026-11",
    "created_at": "2026-11-24T10:15:00+00:00",
    "updated_at": "2026-11-24T10:15:00+00:00",
}
RECOMMENDATION_COUNTS = {"advance": {"advance": 5, "hold": 1}, "hold": {"advance": 1, "hold": 3}}
TRANSCRIPT = [
    {"start": 0.0, "end": 4.1, "speaker": "SPEAKER_00", "text": "How did you find the cause?"},
    {"start": 21.4, "end": 24.0, "speaker": "SPEAKER_01", "text": "I compared the traces and found the lock."},
]
RESULT: dict[str, Any] = {
    "duration_s": 1820.4,
    "input": {
        "tracks": [
            {"track": 1, "used": False, "reason": "silent"},
            {"track": 2, "used": True, "reason": None},
        ],
        "warnings": [],
    },
    "no_speech": False,
    "language": "en",
    "transcript": TRANSCRIPT,
    "candidate": {"speaker": "SPEAKER_01", "confidence": 0.98, "source": "guess", "min_confidence": 0.75},
    "speakers": {
        "SPEAKER_00": {"role": "interviewer", "confidence": 0.93, "name": None},
        "SPEAKER_01": {"role": "candidate", "confidence": 0.93, "name": None},
    },
    "metrics": {
        "talk_ratio": {"SPEAKER_00": 0.41, "SPEAKER_01": 0.59},
        "interruptions": 1,
        "words_per_minute": {"SPEAKER_00": 171.0, "SPEAKER_01": 158.2},
        "longest_monologue_s": {"SPEAKER_00": 22.0, "SPEAKER_01": 96.5},
        "median_pause_before_answer_s": 0.7,
        "questions_asked": {"SPEAKER_00": 14, "SPEAKER_01": 2},
        "coverage": 0.99,
    },
    "assessment": {
        "summary": "Scored on what the candidate said.",
        "recommendation": "advance",
        "scores": {
            "problem_solving": {
                "score": 4,
                "rationale": "Nearest to level 4: The answer explains how the cause was found and what came of it.",
                "evidence": [EVIDENCE],
                "confidence": 0.8,
                "reason": None,
                "spread": 0,
                "stable": True,
            }
        },
        "highlights": ["Problem solving: “I compared the traces and found the lock.”"],
        "red_flags": [],
        "questions_for_next_round": ["What surprised you about the tool you know best?"],
        "submittal_note": "Interviewed for Backend Engineer. In the candidate's own words: …",
        "model": "qwen3-8b-instruct",
        "rubric_version": "2026-12",
        "prompt_version": "2",
        "fitness": {
            "answers": None,
            "authors": None,
            "spearman": None,
            "kappa": None,
            "spearman_other_rubrics": None,
            "use": "Scores support a person's decision. They do not make it.",
        },
    },
    "rubric": {
        "version": "2026-12",
        "prompt_version": "2",
        "competencies": [
            {
                "slug": "problem_solving",
                "name": "Problem solving",
                "description": "Finds the cause of a difficult problem and fixes it with a result that can be checked.",
                "anchors": {str(level): f"What an answer of level {level} shows." for level in range(1, 6)},
            }
        ],
    },
    "usage": {
        "stages": {"transcription": 61.2, "diarization": 48.0, "assessment": 22.4},
        "assessor": {"calls": 9, "prompt_tokens": 8120, "cached_tokens": 5400, "completion_tokens": 310},
    },
    "reviews": [REVIEW],
}
SCORECARD = make_scorecard(
    RESULT, Heading(JOB_ID, "Backend Engineer", datetime.fromisoformat("2026-11-24T09:00:00+00:00"))
)
SUMMARY: dict[str, Any] = {
    "job_id": JOB_ID,
    "status": "completed",
    "vertical": "recruitscreen",
    "original_id": None,
    "detail": None,
    "role_title": "Backend Engineer",
    "label": "Candidate 17",
    "file_name": "interview.m4a",
    "language": "en",
    "percent": 100,
    "stage": None,
    "expected_s": None,
    "duration_s": 1820.4,
    "credits_charged": 31,
    "credits_returned": 0,
    "cost": {"charged": 31, "returned": 0, "reason": "accepted a recording of 1820 s"},
    "created_at": "2026-11-24T09:00:00Z",
    "started_at": "2026-11-24T09:00:01Z",
    "finished_at": "2026-11-24T09:02:40Z",
    "expires_at": "2026-12-24T09:02:40Z",
    "deleted_at": None,
    "metadata": {"team": "platform"},
    **URLS,
}
JOB = SUMMARY | {"result": RESULT, "error": None}
SAVED_RUBRIC = RUBRIC | {"rubric_id": "rub_5c20e9b7f14a83d6e091", "version": 1, "version_name": "Night-nurse.v1"}
SAVED_RUBRIC |= {"author": "lead@example.com", "created_at": "2026-11-20T09:00:00Z"}
RETURNED = {"charged": 31, "returned": 31, "reason": "canceled before a model had begun to work"}
CANCELED = SUMMARY | {"status": "canceled", "credits_returned": 31, "cost": RETURNED, "percent": None}
CANCELED |= {"result": None, "error": None}
VERSION: dict[str, Any] = {
    "version": 1,
    "job_id": JOB_ID,
    "based_on": None,
    "status": "completed",
    "role_title": "Backend Engineer",
    "label": "Candidate 17",
    "corrected_lines": 0,
    "candidate": "SPEAKER_01",
    "rubric_version": "2026-11",
    "model": "qwen3-8b-instruct",
    "recommendation": "advance",
    "scores": {"problem_solving": 4},
    "credits_charged": 31,
    "created_at": "2026-11-24T09:00:00Z",
    "finished_at": "2026-11-24T09:02:40Z",
    **URLS,
}
FURTHER_ID = "job_41b8e6d02c9f7a35e180"
FURTHER_VERSION = VERSION | {"version": 2, "job_id": FURTHER_ID, "based_on": JOB_ID, "role_title": "Data Engineer"}
FURTHER_VERSION |= {"corrected_lines": 3, "scores": {"problem_solving": 3}, "credits_charged": 1}
FURTHER_VERSION |= {"status_url": f"/v1/jobs/{FURTHER_ID}", "events_url": f"/v1/jobs/{FURTHER_ID}/events"}
KEY: dict[str, Any] = {
    "key_id": KEY_ID,
    "name": "CI",
    "scope": "recruitscreen",
    "prefix": "lv_sk_recruitscreen_a1B2",
    "monthly_cap": 500,
    "created_at": "2026-11-01T08:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-11-24T09:00:00Z",
}
NEW_KEY = KEY | {"last_used_at": None, "api_key": "lv_sk_recruitscreen_…32 characters, shown once…"}
CHARGE = {
    "kind": "charge",
    "credits": -7,
    "job_id": JOB_ID,
    "reason": "accepted a recording of 412 s",
    "expires_at": None,
    "created_at": "2026-11-24T09:00:00Z",
}
SUMS = {"jobs": 1, "audio_s": 1820.4, "credits_charged": 31, "credits_returned": 0}
USAGE: dict[str, Any] = {
    "from": "2026-11-01",
    "to": "2026-11-30",
    "total": SUMS,
    "data": [
        SUMS
        | {"day": "2026-11-24", "key_id": KEY_ID, "key_name": "CI", "vertical": "recruitscreen", "status": "completed"}
    ],
}
PRICE: dict[str, Any] = {
    "vertical": "recruitscreen",
    "title": "RecruitScreen",
    "description": "An interview recording and a role title in; a transcript, talk metrics and an assessment out.",
    "credits_per_minute": 1,
    "credits_per_assessment": 1,
    "max_duration_s": 14400.0,
    "max_bytes": 100000000,
    "demo": {"max_duration_s": 300.0, "max_bytes": 20000000, "per_address": "3/hour"},
}
POOL: dict[str, Any] = {
    "models": [
        {
            "role": "asr",
            "name": "whisper-large-v3-int8",
            "state": "warm",
            "footprint_mib": 3200,
            "device": "cuda:0",
            "replicas": 1,
            "in_flight": 0,
            "load_s_p50": 4.2,
            "load_s_p95": 6.0,
            "load_bytes_per_s": 410000000.0,
            "last_used_at": "2026-11-24T09:02:31Z",
            "instances": [],
        }
    ],
    "devices": [],
    "queue_depths": {},
    "degraded": False,
    "reason": None,
}
STREAM_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": "queued", "terminal": False, "queue_position": 1, "expected_s": 46.0}),
    ("status", {"status": "processing_inference", "terminal": False}),
    ("progress", {"status": "processing_inference", "terminal": False, "stage": "transcription", "percent": 40}),
    ("status", {"status": "completed", "terminal": True}),
]


def stream_of(events: list[tuple[str, dict[str, Any]]]) -> str:
    """The text of a `text/event-stream` response."""
    blocks = []
    for seq, (name, data) in enumerate(events, start=1):
        whole = {"detail": data.get("stage"), "seq": seq, "at": f"2026-11-24T09:00:0{seq}Z"} | data
        blocks.append(f"event: {name}\ndata: {json.dumps(whole)}\nid: {seq}\n")
    return "\n".join(blocks) + "\n: ping\n\n"


def page_of(row: dict[str, Any]) -> dict[str, Any]:
    """The only page of a list with one row."""
    return {"data": [row], "has_more": False, "next_cursor": None}


WEBHOOK: dict[str, Any] = {
    "webhook_id": "ep_41c9e0b7d25f4a83b6e1",
    "url": "https://example.com/hooks/recruitscreen",
    "description": "ATS",
    "events": ["job.completed", "job.failed"],
    "products": None,
    "job_id": None,
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "created_at": "2026-11-24T08:00:00Z",
    "public_keys": [
        {
            "public_key": "whpk_bVkS1IKcJRmf27Y4fE9kmCb4qZl0CCbJcSu0oJyVxQY=",
            "created_at": "2026-11-24T08:00:00Z",
            "expires_at": None,
        }
    ],
}
NEW_WEBHOOK = WEBHOOK | {"secret": "whsec_…44 characters, shown once…"}
EVENT_ID = "evt_7b1f0c9a52d84e6f93a0c1d2"
MESSAGE: dict[str, Any] = {
    "type": "job.completed",
    "timestamp": "2026-11-24T09:02:40+00:00",
    "data": {
        "job_id": JOB_ID,
        "status": "completed",
        "vertical": "recruitscreen",
        "detail": None,
        "seq": 41,
        "status_url": f"https://api.example.com/v1/jobs/{JOB_ID}",
        "events_url": f"https://api.example.com/v1/jobs/{JOB_ID}/events",
        "metadata": {"candidate": 17},
    },
}
DELIVERY: dict[str, Any] = {
    "event_id": EVENT_ID,
    "type": "job.completed",
    "job_id": JOB_ID,
    "status": "delivered",
    "failures": 1,
    "next_attempt_at": None,
    "happened_at": "2026-11-24T09:02:40Z",
    "delivered_at": "2026-11-24T09:02:46Z",
}
ATTEMPT: dict[str, Any] = {
    "event_id": EVENT_ID,
    "type": "job.completed",
    "started_at": "2026-11-24T09:02:40Z",
    "duration_ms": 214,
    "status": 502,
    "error": "The endpoint answered 502. Only a 2xx status is a success.",
    "answer": "Bad Gateway",
}


RESPONSES: dict[str, Any] = {
    "submit_job": SUBMITTED,
    "list_jobs": page_of(SUMMARY),
    "get_job": JOB,
    "stream_job_events": stream_of(STREAM_EVENTS),
    "create_stream_token": {"token": TOKEN, "expires_in_s": 3600, "events_url": f"{URLS['events_url']}?token={TOKEN}"},
    "cancel_job": CANCELED,
    "retry_job": SUBMITTED | {"credits_charged": 0},
    "delete_job": {"job_id": JOB_ID, "deleted": True},
    "reassess_job": SUBMITTED | {"credits_charged": 1, "credits_remaining": 92},
    "list_assessments": {"data": [VERSION, FURTHER_VERSION]},
    "review_job": REVIEW,
    "get_review_agreement": {
        "reviews": 10,
        "recommendation": {"pairs": 10, "same": 8, "kappa": 0.583, "counts": RECOMMENDATION_COUNTS},
        "competencies": {
            "problem_solving": {
                "pairs": 9,
                "same": 6,
                "within_one": 9,
                "kappa": 0.413,
                "weighted_kappa": 0.557,
                "person_only": 0,
                "model_only": 1,
                "counts": {"3": {"3": 3}, "4": {"3": 2, "4": 3}, "5": {"4": 1}},
            }
        },
    },
    "list_rubrics": {"data": [SAVED_RUBRIC]},
    "list_rubric_versions": {"data": [SAVED_RUBRIC]},
    "create_rubric": SAVED_RUBRIC,
    "get_rubric": SAVED_RUBRIC,
    "change_rubric": SAVED_RUBRIC | {"version": 2, "version_name": "Night-nurse.v2"},
    "quote_job": {"credits": 7, "duration_s": 412.0, "expected_s": 58.4, "cold": False},
    "get_transcript": TRANSCRIPT,
    "get_scorecard": TypeAdapter(Any).dump_python(SCORECARD, mode="json"),
    "submit_demo_job": SUBMITTED
    | {"credits_charged": 0, "credits_remaining": 0, "token": TOKEN}
    | {name: f"{url}?token={TOKEN}" for name, url in URLS.items()},
    "get_credits": {"balance": 93, "held": 7, "refundable": 0},
    "list_ledger": page_of(CHARGE),
    "get_usage": USAGE,
    "get_prices": {"products": [PRICE]},
    "list_keys": [KEY],
    "create_key": NEW_KEY,
    "rotate_key": NEW_KEY,
    "stream_events": f"event: job.completed\ndata: {json.dumps(MESSAGE)}\nid: {EVENT_ID}\nretry: 2000\n\n: ping\n\n",
    "list_webhooks": [WEBHOOK],
    "create_webhook": NEW_WEBHOOK,
    "get_webhook": WEBHOOK,
    "change_webhook": WEBHOOK,
    "rotate_webhook_secret": NEW_WEBHOOK,
    "test_webhook": {"event_id": EVENT_ID},
    "replay_webhook_events": {"replayed": 3},
    "list_webhook_deliveries": page_of(DELIVERY),
    "list_webhook_attempts": page_of(ATTEMPT),
    "get_models_status": POOL,
    "get_health": {"status": "ok", "reason": None},
}
"""Successful responses by operation id. Operations without a body have none."""

TRANSCRIPT_TEXTS = {
    "text/plain": "[0:00] Interviewer (SPEAKER_00): How did you find the cause?\n",
    "text/vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:04.100\n<v Interviewer>How did you find the cause?\n",
    "application/x-subrip": "1\n00:00:00,000 --> 00:00:04,100\nHow did you find the cause?\n",
}
FILES: dict[str, dict[str, str]] = {
    "get_transcript": TRANSCRIPT_TEXTS,
    "get_usage": {"text/csv": "day,jobs,audio_s,credits_charged,credits_returned\r\n2026-11-24,1,1820.4,31,0\r\n"},
    "get_scorecard": {
        "application/pdf": "%PDF-1.7 …",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "PK…",
        "text/markdown": to_markdown(SCORECARD),
        "text/csv": to_table(SCORECARD),
    },
}
"""Responses that are no JSON, by operation id and media type."""
