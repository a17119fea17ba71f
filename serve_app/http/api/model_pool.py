"""What the model pool is doing; public."""

from fastapi import APIRouter

from serve_app.http.deps import Services
from serve_app.model_pool.registry import PoolStatus

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("/status")
async def status(services: Services) -> PoolStatus:
    """Which models are warm, loading or cold. Needs no key and never wakes a model."""
    return await services.pool.status()
