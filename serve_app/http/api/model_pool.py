"""State of the model pool. Public."""

from fastapi import APIRouter

from serve_app.http.deps import Services
from serve_app.model_pool.status import PoolStatus

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("/status")
async def get_models_status(services: Services) -> PoolStatus:
    """List which models are warm, loading or cold. Needs no key and never loads a model."""
    return await services.pool.status()
