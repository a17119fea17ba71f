"""Client of the RecruitScreen API: submit a recording, follow the job, read its scorecard."""

from recruitscreen_client.aio import AsyncRecruitScreen
from recruitscreen_client.client import RecruitScreen
from recruitscreen_client.errors import ApiError, ConnectionFailed, JobFailed, RecruitScreenError, WebhookInvalid
from recruitscreen_client.events import Event, Loading, ProgressEvent, StatusEvent
from recruitscreen_client.fields import TERMINAL
from recruitscreen_client.transport import Backoff
from recruitscreen_client.webhooks import verify_webhook

__all__ = [
    "TERMINAL",
    "ApiError",
    "AsyncRecruitScreen",
    "Backoff",
    "ConnectionFailed",
    "Event",
    "JobFailed",
    "Loading",
    "ProgressEvent",
    "RecruitScreen",
    "RecruitScreenError",
    "StatusEvent",
    "WebhookInvalid",
    "verify_webhook",
]
