"""Every error of the product, as one tree.

RecruitScreenError
├── Unauthorized                 401  invalid_api_key
├── InsufficientCredits          402  insufficient_credits
│   └── KeyCapReached                 key_cap_reached
├── WrongScope                   403  wrong_scope
├── NotFound                     404
│   ├── JobNotFound                   job_not_found
│   └── VerticalNotFound              vertical_not_found
├── MethodNotAllowed             405  method_not_allowed
├── Conflict                     409  conflict
├── FileTooLarge                 413  file_too_large
├── Invalid                      422  invalid_request
│   ├── InvalidField                  invalid_field
│   ├── MediaUnreadable               media_unreadable
│   ├── NoAudioTrack                  no_audio_track
│   ├── MediaEncrypted                media_encrypted
│   ├── MediaTooShort                 media_too_short
│   └── MediaTooLong                  media_too_long
├── RateLimited                  429  rate_limited
├── Unavailable                  503  unavailable
├── JobFailure                   a job ends with it; its code is the job's error code
│   ├── VramUnavailable          507  vram_unavailable
│   ├── WeightsUnavailable       503  weights_unavailable
│   ├── InferenceFailed          500  inference_failed
│   └── Interrupted              503  interrupted
└── Internal                     500  internal; never shown in its own words
    ├── IllegalTransition
    └── LeaseLost

A class fixes `code`, `status` and `retryable`. Arguments are positional and go to the base constructor: a keyword-only
exception loses its type and attributes on the way through pickle, so also between Ray replicas. Callers show
`exc.code` and `exc.message`, never `str(type(exc))`: across Ray the type is called `RayTaskError(X)`.
"""

from typing import Any, ClassVar


class RecruitScreenError(Exception):
    """Base of the tree. `message` says what was wrong and what to do, in words fit for a client."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str = "", *args: Any) -> None:
        super().__init__(message or self.default, *args)

    @property
    def message(self) -> str:
        """What went wrong, for people."""
        return str(self.args[0])


class Unauthorized(RecruitScreenError):
    """No key, a malformed key, an unknown one, or one that was revoked or has expired."""

    code = "invalid_api_key"
    status = 401
    default = "Missing, invalid or revoked API key. Send 'Authorization: Bearer lv_sk_…'."


class InsufficientCredits(RecruitScreenError):
    """The balance cannot cover the job. Second argument: credits needed. Nothing was charged."""

    code = "insufficient_credits"
    status = 402
    default = "Credit balance exhausted. Subscribe to continue."

    def __init__(self, message: str = "", credits_needed: int = 0) -> None:
        super().__init__(message, credits_needed)

    @property
    def credits_needed(self) -> int:
        """Whole credits the refused job would have cost."""
        return int(self.args[1])


class KeyCapReached(InsufficientCredits):
    """The account has credits, but this key may not spend more of them this month. Second argument: credits needed."""

    code = "key_cap_reached"
    default = "This key has reached its monthly cap."


class WrongScope(RecruitScreenError):
    """The key is good, but for another product."""

    code = "wrong_scope"
    status = 403
    default = "This API key is scoped to a different product."


class NotFound(RecruitScreenError):
    """Nothing of that name is visible to the caller."""

    code = "not_found"
    status = 404
    default = "Not found."


class JobNotFound(NotFound):
    """Unknown job, or another account's: the two are not told apart."""

    code = "job_not_found"
    default = "No job with this id exists in your account."


class VerticalNotFound(NotFound):
    """No product has this slug."""

    code = "vertical_not_found"
    default = "Unknown vertical."


class MethodNotAllowed(RecruitScreenError):
    """The address exists, but does not take this method; `Allow` names those it takes."""

    code = "method_not_allowed"
    status = 405
    default = "This address does not take that method."


class Conflict(RecruitScreenError):
    """The request is fine, but not in the present state."""

    code = "conflict"
    status = 409
    default = "The request conflicts with the current state."


class FileTooLarge(RecruitScreenError):
    """The upload, or another body, is larger than is accepted: by its declared length, or while it was being read."""

    code = "file_too_large"
    status = 413
    default = "The file is larger than this product accepts."


class Invalid(RecruitScreenError):
    """The request can never work as sent."""

    code = "invalid_request"
    status = 422
    default = "The request is not valid."


class InvalidField(Invalid):
    """One form field is missing or malformed. Second argument: its name."""

    code = "invalid_field"

    def __init__(self, message: str = "", field: str = "") -> None:
        super().__init__(message, field)

    @property
    def field(self) -> str:
        """Name of the offending field."""
        return str(self.args[1])


class MediaUnreadable(Invalid):
    """No decoder makes sound out of the file."""

    code = "media_unreadable"
    default = "The file could not be read as audio. Send a recording in a common format such as MP3, M4A, WAV or WebM."


class NoAudioTrack(Invalid):
    """The container is fine but holds no audio."""

    code = "no_audio_track"
    default = "The file has no audio track."


class MediaEncrypted(Invalid):
    """The audio is there, but behind DRM."""

    code = "media_encrypted"
    default = "The recording is encrypted (DRM). Send an unprotected copy."


class MediaTooShort(Invalid):
    """Less audio than a word takes."""

    code = "media_too_short"
    default = "The recording is too short to hold speech."


class MediaTooLong(Invalid):
    """More audio than the product accepts."""

    code = "media_too_long"
    default = "The recording is longer than this product accepts."


class RateLimited(RecruitScreenError):
    """Too many requests. Second argument: seconds until the next one may succeed; third: `RateLimit` header fields."""

    code = "rate_limited"
    status = 429
    retryable = True
    default = "Too many requests."

    def __init__(self, message: str = "", retry_after_s: int = 1, fields: dict[str, str] | None = None) -> None:
        super().__init__(message, retry_after_s, fields or {})

    @property
    def retry_after_s(self) -> int:
        """Whole seconds to wait."""
        return int(self.args[1])

    @property
    def fields(self) -> dict[str, str]:
        """Where the caller stands, as header fields."""
        return dict(self.args[2])


class Unavailable(RecruitScreenError):
    """A part we depend on does not answer. Trying again is right."""

    code = "unavailable"
    status = 503
    retryable = True
    default = "The service is temporarily unavailable. Try again shortly."


class JobFailure(RecruitScreenError):
    """A job that was accepted and cannot be finished; becomes the job's `error`."""

    code = "job_failed"
    retryable = True


class VramUnavailable(JobFailure):
    """GPU memory stayed saturated through all retries, or no GPU could be had at all."""

    code = "vram_unavailable"
    status = 507
    default = "GPU memory is saturated. Retry the job; it is not charged again."


class WeightsUnavailable(JobFailure):
    """A model's files are missing or do not have the expected SHA-256."""

    code = "weights_unavailable"
    status = 503
    default = "A model this job needs could not be loaded."


class InferenceFailed(JobFailure):
    """A model raised on this input."""

    code = "inference_failed"
    default = "A model failed on this recording."


class Interrupted(JobFailure):
    """The process that ran the job died more often than we retry."""

    code = "interrupted"
    status = 503
    default = "The job was interrupted too often. Retry it; it is not charged again."


class Internal(RecruitScreenError):
    """A broken promise inside the product. Clients only see the default message."""


class IllegalTransition(Internal):
    """A job was asked to move where its state does not lead."""


class LeaseLost(Internal):
    """Somebody else owns the job by now; what this worker found out no longer counts."""
