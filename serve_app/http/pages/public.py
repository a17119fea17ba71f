"""Pages that need no key: error codes, prices, and the state of the model pool."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from serve_app.http.deps import Services
from serve_app.http.pages.error_codes import rows
from serve_app.http.pages.templates import SCRIPT_POLICY, render

router = APIRouter(include_in_schema=False)


@router.get("/docs/errors")
async def show_error_codes() -> HTMLResponse:
    """Every error code, its meaning, and whether a retry can succeed."""
    return render("error_codes.html", {"rows": rows()})


@router.get("/dashboard")
async def show_model_pool() -> HTMLResponse:
    """The model pool, live."""
    return render("model_pool.html", policy=SCRIPT_POLICY)


@router.get("/pricing")
async def show_pricing(services: Services) -> HTMLResponse:
    """The page a 402 links to: what each product costs, and how to get credits."""
    return render("pricing.html", {"products": list(services.catalog)})
