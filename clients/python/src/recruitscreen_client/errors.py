"""Errors of the client.

RecruitScreenError
├── ApiError          the API refused the request; see `code`
├── ConnectionFailed  the API was not reached, or its response was lost
├── JobFailed         the job failed or was canceled
└── WebhookInvalid    a webhook was not signed with the secret
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx


class RecruitScreenError(Exception):
    """Base of all errors."""

    def __init__(self, message: str, *args: Any) -> None:
        super().__init__(message, *args)

    @property
    def message(self) -> str:
        """What is wrong, for people."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message


class ApiError(RecruitScreenError):
    """The API refused the request. Second argument: the HTTP status; third: the error body's `detail`."""

    def __init__(self, message: str, status: int = 0, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message, status, detail or {})

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The error in an unsuccessful response, also in one from a proxy."""
        detail = _detail(response)
        message = detail.get("message") or f"The server answered {response.status_code} {response.reason_phrase}."
        if target := response.headers.get("Location"):
            message += f" It points to {target}. Use that as base URL."
        headers = {"request_id": response.headers.get("X-Request-Id"), "retry_after_s": _retry_after(response)}
        return cls(str(message), response.status_code, headers | detail)

    @property
    def status(self) -> int:
        """HTTP status."""
        return int(self.args[1])

    @property
    def detail(self) -> dict[str, Any]:
        """The whole `detail` of the body. Some errors have `credits_needed` and `upgrade_url`, or `field`."""
        detail: dict[str, Any] = self.args[2]
        return detail

    @property
    def code(self) -> str:
        """Stable name of the error, e.g. `insufficient_credits`. `http_error` when the response has none."""
        return str(self.detail.get("code") or self.detail.get("error") or "http_error")

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later."""
        return bool(self.detail.get("retryable", False))

    @property
    def request_id(self) -> str | None:
        """Id of the request in the server's logs."""
        return self.detail.get("request_id")

    @property
    def retry_after_s(self) -> float:
        """Seconds in `Retry-After`; 0 without that header."""
        return float(self.detail.get("retry_after_s", 0.0))


class ConnectionFailed(RecruitScreenError):
    """The API was not reached, or the connection broke in every attempt."""


class JobFailed(RecruitScreenError):
    """The job ended `failed` or `canceled`. Second argument: the job."""

    def __init__(self, message: str, job: dict[str, Any]) -> None:
        super().__init__(message, job)

    @classmethod
    def of(cls, job: dict[str, Any]) -> Self:
        """The error of a job that failed or was canceled."""
        error = job.get("error") or {}
        return cls(error.get("message") or f"The job is {job['status']}.", job)

    @property
    def job(self) -> dict[str, Any]:
        """The job, as the API returned it."""
        job: dict[str, Any] = self.args[1]
        return job

    @property
    def code(self) -> str:
        """The error code, e.g. `vram_unavailable`; the job's state when it has no error."""
        return str((self.job.get("error") or {}).get("code") or self.job["status"])


class WebhookInvalid(RecruitScreenError):
    """The message was not signed with this secret, or is too old or incomplete. Answer it with 400."""


def _detail(response: httpx.Response) -> dict[str, Any]:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return {}
    return detail if isinstance(detail, dict) else {"message": str(detail)}


def _retry_after(response: httpx.Response) -> float:
    """Seconds in the Retry-After header, which is a number or a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a time zone
        return 0.0
