"""Readiness of this process, for load balancers."""

from fastapi import APIRouter
from sqlalchemy import literal
from sqlmodel import select

from serve_app.errors import Unavailable
from serve_app.http.deps import Services
from serve_app.http.openapi import refusals

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=refusals(Unavailable))
async def get_health(services: Services) -> dict[str, str]:
    """Answer 200 when the database answers, else 503."""
    async with services.database.transaction() as session:
        await session.exec(select(literal(1)))
    return {"status": "ok"}
