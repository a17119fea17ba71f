"""The page of an account's members: invite, change roles, remove, and make links for them. For owners."""

from typing import TypeVar

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from serve_app import services as app_services
from serve_app.accounts import links, members
from serve_app.accounts.actors import Role
from serve_app.accounts.models import LinkKind
from serve_app.errors import Conflict, InvalidField
from serve_app.http.deps import Services
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor

F = TypeVar("F", bound=BaseModel)
router = APIRouter(prefix="/settings/members", include_in_schema=False)

LASTS = {LinkKind.INVITATION: "a week", LinkKind.RESET: "a day", LinkKind.SIGN_IN: "a day"}


class RoleForm(BaseModel):
    """The role that a form chooses."""

    model_config = ConfigDict(extra="ignore")

    role: Role


class LinkForm(BaseModel):
    """The kind of link that a form asks for."""

    model_config = ConfigDict(extra="ignore")

    kind: LinkKind


@router.get("")
async def show_members(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """Members and open invitations."""
    return await _page(services, visitor)


@router.post("/invite")
async def invite_member(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Make an invitation and show its link, once."""
    email = fields.get("email", "")
    try:
        role = _read(RoleForm, fields).role
        async with services.database.transaction() as session:
            secret = await links.invite(session, visitor.actor, email, role)
    except (InvalidField, Conflict) as error:
        return await _page(services, visitor, error.message, status=error.status)
    return await _with_link(services, visitor, secret, LinkKind.INVITATION, email)


@router.post("/invitations/{link_id}/withdraw")
async def withdraw_invitation(visitor: FormSender, services: Services, link_id: str) -> Response:
    """Take an invitation back."""
    async with services.database.transaction() as session:
        await links.withdraw(session, visitor.actor, link_id)
    return _to_members()


@router.post("/{member_id}/role")
async def change_role(visitor: FormSender, services: Services, member_id: str, fields: FormFields) -> Response:
    """Give a member another role."""
    try:
        role = _read(RoleForm, fields).role
        async with services.database.transaction() as session:
            await members.change_role(session, visitor.actor, member_id, role)
    except (InvalidField, Conflict) as error:
        return await _page(services, visitor, error.message, status=error.status)
    return _to_members()


@router.post("/{member_id}/remove")
async def remove_member(visitor: FormSender, services: Services, member_id: str) -> Response:
    """Remove a member and end their sessions."""
    try:
        async with services.database.transaction() as session:
            await members.remove(session, visitor.actor, member_id)
    except Conflict as error:
        return await _page(services, visitor, error.message, status=error.status)
    return _to_members()


@router.post("/{member_id}/link")
async def make_link(visitor: FormSender, services: Services, member_id: str, fields: FormFields) -> HTMLResponse:
    """Make a link that sets a member's password or signs the member in, and show it, once."""
    kind = _read(LinkForm, fields).kind
    async with services.database.transaction() as session:
        secret = await links.make_for_member(session, visitor.actor, member_id, kind)
        member = await members.get_member(session, visitor.actor, member_id)
    return await _with_link(services, visitor, secret, kind, member.email)


def _read(form: type[F], fields: dict[str, str]) -> F:
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise InvalidField(f"'{name}' is missing or unknown. Choose one in the form.", name) from None


async def _with_link(
    services: app_services.Services, visitor: Visitor, secret: str, kind: LinkKind, email: str
) -> HTMLResponse:
    url = f"{services.settings.public_url.rstrip('/')}/links/{secret}"
    return await _page(services, visitor, link={"url": url, "kind": kind, "email": email, "lasts": LASTS[kind]})


async def _page(
    services: app_services.Services,
    visitor: Visitor,
    message: str = "",
    link: dict[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    async with services.database.transaction() as session:
        listed = await members.list_members(session, visitor.actor)
        invitations = await links.list_invitations(session, visitor.actor)
    context = {
        "visitor": visitor, "message": message, "link": link, "members": listed, "invitations": invitations,
        "roles": list(Role),
    }  # fmt: skip
    return render("members.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)


def _to_members() -> RedirectResponse:
    return RedirectResponse("/settings/members", 303, PRIVATE)
