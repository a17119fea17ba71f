"""The page of an account's own settings: how long interviews are kept, and the text about consent. For owners."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve_app import services as app_services
from serve_app.accounts import preferences
from serve_app.accounts.actors import Role
from serve_app.accounts.models import MAX_CONSENT
from serve_app.accounts.preferences import CONSENT, DAY_S
from serve_app.accounts.service import get_account
from serve_app.http.deps import Services
from serve_app.http.errors import message_of
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.storage.text import Storable

router = APIRouter(prefix="/settings/account", include_in_schema=False)

NAMES = {"retention_days": "Days", "consent_text": "Text"}


class AccountForm(BaseModel):
    """The form. A field that is left empty is the deployment's own value."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    consent_text: Annotated[Storable, Field(min_length=20, max_length=MAX_CONSENT)] | None = None


@router.get("")
async def show_account(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """The settings as they are."""
    return await _page(services, visitor)


@router.post("")
async def change_account(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Store the settings."""
    try:
        form = AccountForm.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        return await _page(services, visitor, f"{NAMES[str(first['loc'][0])]}: {message_of(first)}.", 422)
    async with services.database.transaction() as session:
        await preferences.change(session, visitor.actor, form.retention_days, form.consent_text)
    return await _page(services, visitor, "Saved.")


async def _page(
    services: app_services.Services, visitor: Visitor, message: str = "", status: int = 200
) -> HTMLResponse:
    visitor.actor.must_be(Role.OWNER)
    async with services.database.transaction() as session:
        account = await get_account(session, visitor.account_id)
    context = {
        "visitor": visitor, "message": message, "account": account, "default_consent": CONSENT,
        "deployment_days": services.settings.retention_s // DAY_S, "max_consent": MAX_CONSENT,
    }  # fmt: skip
    return render("account.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)
