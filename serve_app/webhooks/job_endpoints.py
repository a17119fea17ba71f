"""Endpoints of single jobs: a `webhook_url` that came with a submit.

Each has a secret of its own, which is in the answer to the submit. It is derived, not stored (see `signing`), so that a
repeat of the request gets the same answer. The endpoint goes with its job's events.
"""

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.webhooks.endpoints import add_keys, live_secrets
from serve_app.webhooks.models import Endpoint
from serve_app.webhooks.signing import derive_keys


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """A job's endpoint, for the caller who submitted the job."""

    endpoint_id: str
    secret: str


async def create(session: AsyncSession, endpoint: Endpoint, secret_key: str) -> JobWebhook:
    """Store a job's endpoint and make its keys."""
    session.add(endpoint)
    await session.flush()
    return JobWebhook(endpoint.id, (await add_keys(session, endpoint.id, secret_key)).secret)


async def find(session: AsyncSession, job_id: str, secret_key: str) -> JobWebhook | None:
    """A job's endpoint. None when it has none, or has none any more."""
    endpoint = (await session.exec(select(Endpoint).where(col(Endpoint.job_id) == job_id))).first()
    if endpoint is None:
        return None
    newest = (await live_secrets(session, [endpoint.id]))[endpoint.id][0]
    return JobWebhook(endpoint.id, derive_keys(secret_key, newest.id).secret)
