"""What the model pool is doing; public."""

from fastapi import APIRouter

from serve_app.http.deps import Services
from serve_app.models.registry import PoolStatus

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("/status")
async def status(bundle: Services) -> PoolStatus:
    """Which models are warm, loading or cold. Needs no key and never wakes a model."""
    return await bundle.pool.status()
