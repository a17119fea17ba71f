"""The page of the audit log: who did what, and when. For owners."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from serve_app.accounts import audit
from serve_app.accounts.audit import Action, AuditFilter
from serve_app.accounts.models import MAX_EMAIL
from serve_app.http.deps import Services
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor
from serve_app.storage.pagination import Position
from serve_app.storage.text import Storable

router = APIRouter(prefix="/settings/log", include_in_schema=False)

PAGE = 50
WORDS = {
    Action.INTERVIEW_SEEN: "saw an interview",
    Action.INTERVIEW_SUBMITTED: "submitted an interview",
    Action.INTERVIEW_CANCELED: "canceled an interview",
    Action.INTERVIEW_RETRIED: "ran an interview again",
    Action.INTERVIEW_REASSESSED: "had an interview assessed again",
    Action.INTERVIEW_RATED: "rated an interview",
    Action.INTERVIEW_EXPORTED: "exported an interview",
    Action.INTERVIEW_SHARED: "shared an interview",
    Action.SHARE_REVOKED: "ended a share link",
    Action.INTERVIEW_ERASED: "erased an interview",
    Action.MEMBER_INVITED: "invited somebody",
    Action.MEMBER_JOINED: "joined",
    Action.MEMBER_ROLE_CHANGED: "changed a role",
    Action.MEMBER_REMOVED: "removed a member",
    Action.LINK_MADE: "made a link for a member",
    Action.PASSWORD_CHANGED: "changed a password",
    Action.SESSION_BEGAN: "signed in",
    Action.SESSION_ENDED: "ended a session",
    Action.KEY_CREATED: "created a key",
    Action.KEY_ROTATED: "rotated a key",
    Action.KEY_REVOKED: "revoked a key",
    Action.SETTINGS_CHANGED: "changed settings",
    Action.WEBHOOK_CREATED: "created a webhook",
    Action.WEBHOOK_CHANGED: "changed a webhook",
    Action.WEBHOOK_DELETED: "deleted a webhook",
    Action.RUBRIC_SAVED: "saved a rubric",
    Action.RUBRIC_DELETED: "deleted a rubric",
}
Choice = BeforeValidator(lambda value: value or None)
"""A form sends the empty choice as an empty text."""


class LogQuery(BaseModel):
    """Filter and page."""

    model_config = ConfigDict(extra="ignore")

    action: Annotated[Action | None, Choice] = None
    actor: Annotated[Storable | None, Field(max_length=MAX_EMAIL), Choice] = None
    subject: Annotated[Storable | None, Field(max_length=MAX_EMAIL), Choice] = None
    cursor: Annotated[str | None, Field(max_length=500), Choice] = None


@router.get("")
async def show_log(visitor: CurrentVisitor, services: Services, query: Annotated[LogQuery, Query()]) -> HTMLResponse:
    """Entries, newest first."""
    filter_ = AuditFilter(query.action, query.actor, query.subject)
    async with services.database.transaction() as session:
        page = await audit.list_entries(session, visitor.actor, filter_, Position.read(query.cursor), PAGE)
        actors = await audit.list_actors(session, visitor.actor)
    context = {"visitor": visitor, "entries": page.rows, "query": query, "words": WORDS, "actors": actors}
    context["older"] = {**query.model_dump(exclude_none=True), "cursor": page.next_cursor} if page.next_cursor else None
    return render("audit_log.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)
