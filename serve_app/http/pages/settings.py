"""The settings of a visitor: the password, and the browsers that are signed in."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from serve_app import services as app_services
from serve_app.accounts import members, sessions
from serve_app.accounts.passwords import MIN_LENGTH
from serve_app.errors import InvalidField, SignInFailed
from serve_app.http.deps import Services
from serve_app.http.pages.devices import device_name
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor

router = APIRouter(prefix="/settings", include_in_schema=False)

PASSWORDS_PER_SESSION = "10 per 10 minute"
"""Whoever has found a browser signed in must not try out its owner's password."""


@router.get("")
async def show_settings(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """The visitor's own settings."""
    return await _page(services, visitor)


@router.post("/password")
async def change_password(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Set the visitor's password, and end their other sessions. Raises `RateLimited`."""
    await services.limiter.hit("password", PASSWORDS_PER_SESSION, visitor.session_id)
    present, new = fields.get("present", ""), fields.get("password", "")
    try:
        await members.change_password(services.database, visitor.actor, present, new, visitor.session_id)
    except (InvalidField, SignInFailed) as error:
        return await _page(services, visitor, error.message, error.status)
    return await _page(services, visitor, "Your password is changed. Your other sessions have ended.")


@router.post("/sessions/{session_id}/end")
async def end_session(visitor: FormSender, services: Services, session_id: str) -> Response:
    """Sign a browser out."""
    async with services.database.transaction() as session:
        await sessions.end(session, visitor.actor, session_id)
    return RedirectResponse("/settings", 303, PRIVATE)


async def _page(
    services: app_services.Services, visitor: Visitor, message: str = "", status: int = 200
) -> HTMLResponse:
    async with services.database.transaction() as session:
        listed = await sessions.list_sessions(session, visitor.actor)
        member = None
        if visitor.actor.member_id:
            member = await members.get_member(session, visitor.actor, visitor.actor.member_id)
    context = {
        "visitor": visitor, "message": message, "member": member, "min_length": MIN_LENGTH,
        "sessions": [(row, device_name(row.device)) for row in listed],
    }  # fmt: skip
    return render("settings.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)
