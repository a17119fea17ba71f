"""The asynchronous client. Its files are the source of the synchronous ones: see `scripts.sync_client`."""

from recruitscreen_client.aio.client import AsyncRecruitScreen
from recruitscreen_client.aio.transport import Backoff

__all__ = ["AsyncRecruitScreen", "Backoff"]
