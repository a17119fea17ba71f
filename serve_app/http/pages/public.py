"""Pages that need no key: home, error codes and prices."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app.http.deps import Services
from serve_app.http.pages.error_codes import rows
from serve_app.http.pages.templates import PRIVATE, render
from serve_app.http.pages.visitors import HOME, PossibleVisitor

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(visitor: PossibleVisitor) -> Response:
    """What this is, and the way in. Somebody who is signed in goes on to the interviews."""
    return RedirectResponse(HOME, 303, PRIVATE) if visitor else render("home.html")


@router.get("/docs/errors")
async def show_error_codes() -> HTMLResponse:
    """Every error code, its meaning, and whether a retry can succeed."""
    return render("error_codes.html", {"rows": rows()})


@router.get("/pricing")
async def show_pricing(services: Services) -> HTMLResponse:
    """The page a 402 links to: what each product costs, and how to get credits."""
    return render("pricing.html", {"products": list(services.catalog)})
