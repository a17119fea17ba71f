"""What to do about an error, for the command line."""

from typing import Any

from recruitscreen_client.errors import ApiError, ConnectionFailed, RecruitScreenError

FIXES = {
    "invalid_api_key": "Give a key with --api-key or RECRUITSCREEN_API_KEY; keys are made at {base_url}/dashboard.",
    "insufficient_credits": "{credits_needed} credits are needed. Get more at {upgrade_url}.",
    "key_cap_reached": "Use another key, or raise this key's monthly cap at {base_url}/dashboard.",
    "wrong_scope": "Use a key of that product or of all, or choose another product with --vertical.",
    "vertical_not_found": "Check --vertical.",
    "job_not_found": "`recruitscreen list` shows this account's jobs.",
    "file_too_large": "Make it smaller: ffmpeg -i RECORDING -vn -ac 1 -b:a 32k smaller.ogg",
    "media_unreadable": "Convert it: ffmpeg -i RECORDING -vn -ac 1 readable.wav",
    "rate_limited": "Wait {retry_after_s:.0f} s, then do the same again.",
    "unavailable": "Do the same again in a minute.",
}
UNREACHABLE = "Is it running there? Another address is given with --base-url or RECRUITSCREEN_BASE_URL."
MAY_RUN_AGAIN = frozenset({"vram_unavailable", "weights_unavailable", "inference_failed", "interrupted"})
"""What a job may fail with through no fault of its recording."""
OURS = "Report it with the request id {request_id}."


def fix_for(failure: RecruitScreenError, base_url: str) -> str | None:
    """One line that helps, or None when the message says all."""
    if isinstance(failure, ConnectionFailed):
        return UNREACHABLE
    if not isinstance(failure, ApiError):
        return None
    text = FIXES.get(failure.code) or (OURS if failure.status >= 500 and failure.request_id else None)
    known = {"base_url": base_url, "credits_needed": "More", "upgrade_url": base_url, "retry_after_s": 0.0}
    return text.format(**known | failure.detail) if text else None


def fix_for_job(job: dict[str, Any]) -> str | None:
    """One line that helps with a job that failed, or None."""
    if (job.get("error") or {}).get("code") in MAY_RUN_AGAIN:
        return f"Run it again, without charge: recruitscreen retry {job['job_id']}"
    return None
