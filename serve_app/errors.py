"""Every error of the product, as one tree.

RecruitScreenError
├── Unauthorized                 401  invalid_api_key
├── SignInFailed                 401  sign_in_failed
├── InsufficientCredits          402  insufficient_credits
│   └── KeyCapReached                 key_cap_reached
├── WrongScope                   403  wrong_scope
├── NotPermitted                 403  not_permitted
├── NotFound                     404
│   ├── LinkNotFound                  link_not_found
│   ├── JobNotFound                   job_not_found
│   └── VerticalNotFound              vertical_not_found
├── MethodNotAllowed             405  method_not_allowed
├── Conflict                     409  conflict
├── FileTooLarge                 413  file_too_large
├── UnsupportedEncoding          415  unsupported_encoding
├── Invalid                      422  invalid_request
│   ├── InvalidField                  invalid_field
│   │   └── SourceRefused             source_refused; also ends an accepted job
│   ├── MediaUnreadable               media_unreadable
│   ├── NoAudioTrack                  no_audio_track
│   ├── MediaEncrypted                media_encrypted
│   ├── MediaTooShort                 media_too_short
│   └── MediaTooLong                  media_too_long
├── RateLimited                  429  rate_limited
├── Unavailable                  503  unavailable
│   └── StorageFull              507  storage_full
├── JobFailure                   ends an accepted job; its code becomes the job's error code
│   ├── VramUnavailable          507  vram_unavailable
│   ├── WeightsUnavailable       503  weights_unavailable
│   ├── InferenceFailed          500  inference_failed
│   ├── LanguageUnsupported      422  language_unsupported
│   ├── InputLost                500  input_lost
│   ├── SourceNotFound           422  source_not_found
│   ├── SourceWrongType          422  source_wrong_type
│   ├── SourceUnavailable        502  source_unavailable
│   ├── SourceTooSlow            504  source_too_slow
│   └── Interrupted              503  interrupted
└── Internal                     500  internal; clients only see the default message
    ├── IllegalTransition
    └── LeaseLost

A class fixes `code`, `status` and `retryable`. Its docstring is public: it explains the code on /docs/errors, in
docs/errors.md and in the OpenAPI document.

Constructor arguments are positional and go to the base constructor: an exception with keyword-only arguments loses its
type and attributes when it is pickled, as between Ray replicas. Show `exc.code` and `exc.message`, never
`str(type(exc))`: Ray names the type `RayTaskError(X)`.
"""

import inspect
from typing import Any, ClassVar


class RecruitScreenError(Exception):
    """Base of all errors. `message` tells a client what is wrong and what to do next."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default: ClassVar[str] = "Internal error. Report the request_id if it happens again."

    def __init__(self, message: str = "", *args: Any) -> None:
        super().__init__(message or self.default, *args)

    @property
    def message(self) -> str:
        """What is wrong and what to do next."""
        return str(self.args[0])

    @classmethod
    def summary(cls) -> str:
        """What the error means to a client, for the documentation."""
        return cls.default if cls is RecruitScreenError else inspect.cleandoc(cls.__doc__ or "")


class Unauthorized(RecruitScreenError):
    """The API key is missing, malformed, unknown, revoked or expired."""

    code = "invalid_api_key"
    status = 401
    default = "Missing, invalid or revoked API key. Send a live key as 'Authorization: Bearer lv_sk_…'."


class SignInFailed(RecruitScreenError):
    """E-mail address or password is wrong. Both get the same answer."""

    code = "sign_in_failed"
    status = 401
    default = "E-mail address or password is wrong. An owner of your account can give you a link that sets a new one."


class InsufficientCredits(RecruitScreenError):
    """The account's balance does not cover the job. Nothing was charged."""

    code = "insufficient_credits"
    status = 402
    default = "Credit balance exhausted. Subscribe to continue."

    def __init__(self, message: str = "", credits_needed: int = 0, credits_remaining: int | None = None) -> None:
        super().__init__(message, credits_needed, credits_remaining)

    @property
    def credits_needed(self) -> int:
        """Price of the refused job in credits."""
        return int(self.args[1])

    @property
    def credits_remaining(self) -> int | None:
        """Credits of the account. None where they are not what is missing."""
        remaining: int | None = self.args[2]
        return remaining


class KeyCapReached(InsufficientCredits):
    """The account has credits, but the job would exceed this key's monthly cap. Nothing was charged."""

    code = "key_cap_reached"
    default = "This key has reached its monthly cap. Use another key, or wait until next month (UTC)."


class WrongScope(RecruitScreenError):
    """The key is valid, but its scope does not include this product or action."""

    code = "wrong_scope"
    status = 403
    default = "This API key is scoped to a different product. Use a key of that product or of scope 'all'."


class NotPermitted(RecruitScreenError):
    """The member's role in the account does not include this action. Keys are never refused with this code."""

    code = "not_permitted"
    status = 403
    default = "Your role does not include this. Ask an owner of your account."


class NotFound(RecruitScreenError):
    """No such thing exists, or the caller's account does not own it."""

    code = "not_found"
    status = 404
    default = "Not found."


class LinkNotFound(NotFound):
    """The one-time link was used, has expired, or never existed."""

    code = "link_not_found"
    default = "This link was used already, or has expired. Ask whoever gave it to you for a new one."


class JobNotFound(NotFound):
    """The job does not exist or belongs to another account. Both get the same answer."""

    code = "job_not_found"
    default = "No job with this id exists in your account."


class VerticalNotFound(NotFound):
    """No product has this slug."""

    code = "vertical_not_found"
    default = "No product has this slug."


class MethodNotAllowed(RecruitScreenError):
    """The path exists, but not for this method. The `Allow` header lists its methods."""

    code = "method_not_allowed"
    status = 405
    default = "This path does not accept this method. See the Allow header."


class Conflict(RecruitScreenError):
    """The request is valid, but not in the current state of the job, or of the webhook endpoint."""

    code = "conflict"
    status = 409
    default = "The request conflicts with the current state."


class FileTooLarge(RecruitScreenError):
    """The request body is larger than the limit, by its Content-Length or while it was read."""

    code = "file_too_large"
    status = 413
    default = "The file is larger than this product accepts."


class UnsupportedEncoding(RecruitScreenError):
    """The request body has a `Content-Encoding`. The service reads uncompressed bodies only."""

    code = "unsupported_encoding"
    status = 415
    default = "The request body is compressed (Content-Encoding). Send it uncompressed."


class Invalid(RecruitScreenError):
    """The request is malformed and cannot succeed unchanged."""

    code = "invalid_request"
    status = 422
    default = "The request is not valid."


class InvalidField(Invalid):
    """A field is missing or has a wrong value. `field` names it."""

    code = "invalid_field"

    def __init__(self, message: str = "", field: str = "") -> None:
        super().__init__(message, field)

    @property
    def field(self) -> str:
        """Name of the wrong field."""
        return str(self.args[1])


class SourceRefused(InvalidField):
    """`source_url`, or what it redirects to, is no public https address. Refuses the submit, or fails the job."""

    code = "source_refused"
    default = "The address of the recording may not be requested. Send a public https URL. Nothing was charged."


class MediaUnreadable(Invalid):
    """The file cannot be decoded as audio."""

    code = "media_unreadable"
    default = "The file could not be read as audio. Send a recording in a common format such as MP3, M4A, WAV or WebM."


class NoAudioTrack(Invalid):
    """The file is a valid media container without an audio track."""

    code = "no_audio_track"
    default = "The file has no audio track. Send a recording with sound."


class MediaEncrypted(Invalid):
    """The audio is protected by DRM."""

    code = "media_encrypted"
    default = "The recording is encrypted (DRM). Send an unprotected copy."


class MediaTooShort(Invalid):
    """The recording is shorter than a spoken word."""

    code = "media_too_short"
    default = "The recording is too short to hold speech."


class MediaTooLong(Invalid):
    """The recording is longer than the product's limit."""

    code = "media_too_long"
    default = "The recording is longer than this product accepts."


class RateLimited(RecruitScreenError):
    """Too many requests. Wait for the seconds in `Retry-After`."""

    code = "rate_limited"
    status = 429
    retryable = True
    default = "Too many requests. Try again after the seconds in Retry-After."

    def __init__(self, message: str = "", retry_after_s: int = 1, fields: dict[str, str] | None = None) -> None:
        super().__init__(message, retry_after_s, fields or {})

    @property
    def retry_after_s(self) -> int:
        """Whole seconds to wait."""
        return int(self.args[1])

    @property
    def fields(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` header fields."""
        return dict(self.args[2])


class Unavailable(RecruitScreenError):
    """A part of the service does not answer. Wait for the seconds in `Retry-After`, then send the request again."""

    code = "unavailable"
    status = 503
    retryable = True
    default = "The service is temporarily unavailable. Send the request again after the seconds in Retry-After."
    retry_after_s: ClassVar[int] = 5


class StorageFull(Unavailable):
    """The store for recordings is full. Nothing was charged. Wait for the seconds in `Retry-After`."""

    code = "storage_full"
    status = 507
    default = "The store for recordings is full. Nothing was charged. Try again later, or tell the operator."
    retry_after_s = 60


class JobFailure(RecruitScreenError):
    """An accepted job cannot be finished. The code becomes the job's `error.code`."""

    code = "job_failed"
    retryable = True
    default = "The job failed. Retry it; it is not charged again."


class VramUnavailable(JobFailure):
    """GPU memory stayed full during all attempts, or no GPU was available."""

    code = "vram_unavailable"
    status = 507
    default = "GPU memory is saturated. Retry the job; it is not charged again."


class WeightsUnavailable(JobFailure):
    """A model's files are missing or fail their SHA-256 check."""

    code = "weights_unavailable"
    status = 503
    default = "A model that this job needs could not be loaded. Report the job's id to the operator."


class InferenceFailed(JobFailure):
    """A model failed on this recording."""

    code = "inference_failed"
    default = "A model failed on this recording."


class LanguageUnsupported(JobFailure):
    """The speech model does not know the job's `language`. The job is not tried again and is refunded."""

    code = "language_unsupported"
    status = 422
    retryable = False
    default = "The speech model does not know this language. The credits are returned. Submit without 'language'."


class InputLost(JobFailure):
    """The stored recording is gone. The job cannot be retried and is refunded."""

    code = "input_lost"
    retryable = False
    default = "The stored recording is gone. The credits are returned. Submit the recording again."


class SourceNotFound(JobFailure):
    """The server of `source_url` has no such file, or does not give it out without a login. Nothing was charged."""

    code = "source_not_found"
    status = 422
    retryable = False


class SourceWrongType(JobFailure):
    """`source_url` leads to a web page or another text, not to a recording. Nothing was charged."""

    code = "source_wrong_type"
    status = 422
    retryable = False


class SourceUnavailable(JobFailure):
    """The server of `source_url` cannot be reached, fails, or breaks off, in every attempt. Nothing was charged."""

    code = "source_unavailable"
    status = 502


class SourceTooSlow(JobFailure):
    """The recording did not arrive from `source_url` in time, in every attempt. Nothing was charged."""

    code = "source_too_slow"
    status = 504


class Interrupted(JobFailure):
    """The process that ran the job died in every attempt."""

    code = "interrupted"
    status = 503
    default = "The job was interrupted too often. Retry it; it is not charged again."


class Internal(RecruitScreenError):
    """A violated invariant. Clients only see the default message."""


class IllegalTransition(Internal):
    """The state machine has no such transition."""


class LeaseLost(Internal):
    """Another worker owns the job. A stale worker cannot write."""
