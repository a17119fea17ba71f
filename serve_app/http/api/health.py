"""Readiness of this process, for load balancers."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import literal
from sqlmodel import select

from serve_app.errors import Unavailable
from serve_app.http.deps import Services
from serve_app.http.openapi import refusals
from serve_app.model_pool.health import WITHOUT_REDIS

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether this process can serve requests."""

    status: Literal["ok", "degraded"]
    reason: str | None = Field(default=None, description="What is degraded. Requests are served all the same.")


@router.get("/healthz", responses=refusals(Unavailable))
async def get_health(services: Services) -> Health:
    """Answer 200 when the database answers, else 503. Without Redis the status is `degraded`."""
    async with services.database.transaction() as session:
        await session.exec(select(literal(1)))
    if not await services.bus.answers():
        return Health(status="degraded", reason=WITHOUT_REDIS)
    return Health(status="ok")
