"""Example request bodies of operations that take JSON, for the OpenAPI document. `/docs` opens with them.

They are accepted as they stand, so that a first try succeeds. A test sends each of them.
"""

from typing import Any

REQUESTS: dict[str, dict[str, Any]] = {
    "create_key": {"scope": "recruitscreen", "name": "CI", "monthly_cap": 500},
    "rotate_key": {"overlap_s": 86400},
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
