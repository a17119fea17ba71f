"""What a share link shows to people without an account. Neither search engines nor caches keep it."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app import services as app_services
from serve_app.accounts.passwords import is_password
from serve_app.http.api.scorecards import scorecard_of
from serve_app.http.deps import Services, client_address
from serve_app.http.pages.judgement import RECOMMENDATIONS
from serve_app.http.pages.sending import share_tokens
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import FormFields, PossibleVisitor
from serve_app.http.tokens import OPENED_S
from serve_app.jobs import sharing
from serve_app.jobs.models import Job, ShareLink
from serve_app.pipeline.scorecard.document import Section

router = APIRouter(prefix="/s", include_in_schema=False)

COOKIE = "rs_share"
HEADERS = PRIVATE | {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}
PASSCODES_PER_LINK = "20/hour"
PASSCODES_PER_ADDRESS = "10/minute"


@router.get("/{token}")
async def show_shared(request: Request, services: Services, token: str, visitor: PossibleVisitor) -> HTMLResponse:
    """The shared parts of a scorecard, or the question for the passcode. Raises `NotFound`."""
    found = await _find(request, services, token)
    if found is None:
        return render("shared_gone.html", status=410, headers=HEADERS)
    link, job = found
    if link.passcode_hash and not share_tokens(request).is_admitted(link.id, request.cookies.get(COOKIE, "")):
        return _ask(token)
    if visitor is None or visitor.account_id != link.account_id:
        async with services.database.transaction() as session:
            await sharing.note_view(session, link, client_address(request, services.settings))
    card = scorecard_of(job, [Section(section) for section in link.sections], hide_name=link.hide_name)
    context = {"card": card, "link": link, "recommendations": RECOMMENDATIONS}
    return render("shared.html", context, policy=SCRIPT_POLICY, headers=HEADERS)


@router.post("/{token}")
async def open_shared(request: Request, services: Services, token: str, fields: FormFields) -> Response:
    """Check the passcode and admit this browser for twelve hours. Raises `NotFound` and `RateLimited`."""
    found = await _find(request, services, token)
    if found is None:
        return render("shared_gone.html", status=410, headers=HEADERS)
    link, _ = found
    address = client_address(request, services.settings)
    await services.limiter.hit("passcode-address", PASSCODES_PER_ADDRESS, address)
    await services.limiter.hit("passcode-link", PASSCODES_PER_LINK, link.id)
    if not await is_password(fields.get("passcode", ""), link.passcode_hash):
        return _ask(token, "This is not the passcode. Ask who sent you the link.", 403)
    answer = RedirectResponse(f"/s/{token}", 303, HEADERS)
    answer.set_cookie(
        COOKIE, share_tokens(request).admit(link.id), OPENED_S, path=f"/s/{token}", httponly=True,
        samesite="lax", secure=urlsplit(services.settings.public_url).scheme == "https",
    )  # fmt: skip
    return answer


async def _find(request: Request, services: app_services.Services, token: str) -> tuple[ShareLink, Job] | None:
    link_id = share_tokens(request).link_id(token)
    async with services.database.transaction() as session:
        return await sharing.find_live(session, link_id)


def _ask(token: str, message: str = "", status: int = 200) -> HTMLResponse:
    return render("shared_passcode.html", {"token": token, "message": message}, status=status, headers=HEADERS)
