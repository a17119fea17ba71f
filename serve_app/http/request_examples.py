"""Example request bodies of operations that take JSON, for the OpenAPI document. `/docs` opens with them.

They are accepted as they stand, so that a first try succeeds. A test sends each of them.
"""

from typing import Any

RUBRIC = {
    "name": "Night nurse",
    "competencies": [
        {
            "slug": "handover",
            "name": "Handover",
            "description": "Hands a shift over so that the next one can work safely.",
            "anchors": {
                "1": "The answer describes no handover.",
                "2": "The answer mentions a handover without its content.",
                "3": "The answer says what was handed over.",
                "4": "The answer says what was handed over and how it was checked.",
                "5": "The answer says what was handed over, how it was checked, and what came of it.",
            },
            "cues": ["shift", "handover"],
            "probe": "Tell me about a handover that went wrong. What did you change?",
        }
    ],
}
REQUESTS: dict[str, dict[str, Any]] = {
    "create_key": {"scope": "recruitscreen", "name": "CI", "monthly_cap": 500},
    "rotate_key": {"overlap_s": 86400},
    "create_rubric": RUBRIC,
    "change_rubric": RUBRIC,
    "create_webhook": {
        "url": "https://example.com/hooks/recruitscreen",
        "description": "Applicant tracking",
        "events": ["job.completed", "job.failed"],
    },
    "change_webhook": {"description": "Applicant tracking", "events": ["job.completed", "job.failed", "job.reviewed"]},
    "rotate_webhook_secret": {"overlap_s": 86400, "force": False},
    "replay_webhook_events": {"missed": True},
    "reassess_job": {"role_title": "Data Engineer"},
    "review_job": {
        "reviewer": "Interviewer 3",
        "recommendation": "advance",
        "scores": {"problem_solving": {"score": 5, "reason": "Also prevented a repeat."}},
    },
}
"""By operation id."""
