"""The pool as a page that people read: warm models, where the memory goes, who waits, a day of cold starts."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from serve_app.http.deps import Services
from serve_app.http.pages.templates import SCRIPT_POLICY, render
from serve_app.http.pages.visitors import PossibleVisitor
from serve_app.model_pool.models import ModelState
from serve_app.model_pool.status import PoolStatus

router = APIRouter(include_in_schema=False)

ROLES = {"asr": "Speech recognition", "diarizer": "Who speaks when", "assessor": "Assessment"}


@router.get("/pool")
@router.get("/dashboard")
async def show_pool(visitor: PossibleVisitor, services: Services) -> HTMLResponse:
    """The pool, live. `/dashboard` is its old address."""
    status = await services.pool.status()
    products = {spec.slug: spec.title for spec in services.catalog}
    context = {
        "status": status,
        "headline": _headline(status, products),
        "roles": ROLES,
        "products": products,
        "cold_starts": await services.pool.cold_starts(),
    }
    if visitor:
        context["visitor"] = visitor
    return render("pool.html", context, policy=SCRIPT_POLICY)


def _headline(status: PoolStatus, products: dict[str, str]) -> str:
    """The pool in one sentence."""
    warm = sum(model.state is ModelState.WARM for model in status.models)
    loading = sum(model.state is ModelState.LOADING for model in status.models)
    waiting = sum(depth for name, depth in status.queue_depths.items() if name in products)
    models = f"{warm} of {len(status.models)} models are warm" + (f", {loading} loading" if loading else "")
    jobs = {0: "no job waits", 1: "1 job waits"}.get(waiting, f"{waiting} jobs wait")
    return f"{models}; {jobs}."
