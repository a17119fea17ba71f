"""Hints for the command line: what to do about an error."""

from typing import Any

from recruitscreen_client.errors import ApiError, ConnectionFailed, RecruitScreenError

FIXES = {
    "invalid_api_key": "Pass a key with --api-key or RECRUITSCREEN_API_KEY. Create keys at {base_url}/dashboard/keys.",
    "insufficient_credits": "The job needs {credits_needed} credits. See {upgrade_url}.",
    "key_cap_reached": "Use another key, or create one with a higher monthly cap at {base_url}/dashboard/keys.",
    "wrong_scope": "Use a key of this product or of scope 'all', or choose another product with --vertical.",
    "vertical_not_found": "Check the value of --vertical.",
    "job_not_found": "`recruitscreen list` shows this account's jobs.",
    "file_too_large": "Compress it: ffmpeg -i RECORDING -vn -ac 1 -b:a 32k smaller.ogg",
    "media_unreadable": "Convert it: ffmpeg -i RECORDING -vn -ac 1 readable.wav",
    "rate_limited": "Try again in {retry_after_s:.0f} s.",
    "unavailable": "Try again in a minute.",
    "storage_full": "Tell the operator that the store for recordings is full.",
}
UNREACHABLE = "Check that the server runs there. Set another URL with --base-url or RECRUITSCREEN_BASE_URL."
RETRYABLE = frozenset({"vram_unavailable", "weights_unavailable", "inference_failed", "interrupted"})
"""Error codes of failed jobs that are not caused by the recording."""
SERVER_ERROR = "Report it with the request id {request_id}."


def fix_for(failure: RecruitScreenError, base_url: str) -> str | None:
    """A hint in one line, or None."""
    if isinstance(failure, ConnectionFailed):
        return UNREACHABLE
    if not isinstance(failure, ApiError):
        return None
    text = FIXES.get(failure.code) or (SERVER_ERROR if failure.status >= 500 and failure.request_id else None)
    known = {"base_url": base_url, "credits_needed": "More", "upgrade_url": base_url, "retry_after_s": 0.0}
    return text.format(**known | failure.detail) if text else None


def fix_for_job(job: dict[str, Any]) -> str | None:
    """A hint for a failed job in one line, or None."""
    code = (job.get("error") or {}).get("code")
    if code in RETRYABLE:
        return f"Run it again without a charge: recruitscreen retry {job['job_id']}"
    if code == "input_lost":
        return "Submit the recording again. The credits were returned."
    return None
