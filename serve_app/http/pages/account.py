"""The page of an account's own settings: retention, consent, the default rubric, and who rates when. For owners."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve_app import services as app_services
from serve_app.accounts import preferences
from serve_app.accounts.models import MAX_CONSENT
from serve_app.accounts.preferences import CONSENT, DAY_S, Preferences
from serve_app.http.deps import Services
from serve_app.http.errors import message_of
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentOwner, FormFields, FormSender, Visitor
from serve_app.storage.text import Storable
from serve_app.verticals import rubric_templates

router = APIRouter(prefix="/settings/account", include_in_schema=False)

NAMES = {"retention_days": "Days", "consent_text": "Text", "default_rubric_id": "Rubric", "rate_first": "Rating"}


class AccountForm(BaseModel):
    """The form. A field that is left empty is the deployment's own value, or the product's."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    consent_text: Annotated[Storable, Field(min_length=20, max_length=MAX_CONSENT)] | None = None
    default_rubric_id: Annotated[str, Field(max_length=32)] | None = None
    rate_first: bool = False


@router.get("")
async def show_account(owner: CurrentOwner, services: Services) -> HTMLResponse:
    """The settings as they are."""
    async with services.database.transaction() as session:
        stored = await preferences.get(session, owner.account_id)
    return await _page(services, owner, _texts(stored))


@router.post("")
async def change_account(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Store the settings. What is refused stays in the form."""
    try:
        wanted = Preferences(**AccountForm.model_validate(fields).model_dump())
        async with services.database.transaction() as session:
            if wanted.default_rubric_id is not None:
                await rubric_templates.get_rubric(session, visitor.actor, wanted.default_rubric_id)
            await preferences.change(session, visitor.actor, wanted)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{NAMES[str(first['loc'][0])]}: {message_of(first)}."
        return await _page(services, visitor, dict.fromkeys(NAMES, "") | fields, message, 422)
    return await _page(services, visitor, _texts(wanted), "Saved.")


def _texts(stored: Preferences) -> dict[str, str]:
    """Settings as the form's fields have them."""
    return {name: str(value or "") for name, value in asdict(stored).items()}


async def _page(
    services: app_services.Services, owner: Visitor, texts: dict[str, str], message: str = "", status: int = 200
) -> HTMLResponse:
    async with services.database.transaction() as session:
        rubrics = await rubric_templates.list_rubrics(session, owner.actor)
    context = {
        "visitor": owner, "message": message, "texts": texts, "rubrics": rubrics, "default_consent": CONSENT,
        "deployment_days": services.settings.retention_s // DAY_S, "max_consent": MAX_CONSENT,
    }  # fmt: skip
    return render("account.html", context, status=status, policy=SCRIPT_POLICY, headers=PRIVATE)
