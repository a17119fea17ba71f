"""What an account decides for itself: retention, the text about consent, the default rubric, and who rates when."""

import hashlib
from dataclasses import asdict, dataclass

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import Account
from serve_app.errors import Conflict, InvalidField

CONSENT = "The candidate was told that the conversation is recorded and assessed with the help of software."
DAY_S = 24 * 3600
WORDS = {
    "retention_days": "how long interviews are kept",
    "consent_text": "the text about consent",
    "default_rubric_id": "the default rubric",
    "rate_first": "whether people rate first",
}


@dataclass(frozen=True, slots=True)
class Consent:
    """A sentence that is confirmed with a submit. `id` tells which one a form has shown."""

    text: str

    @property
    def id(self) -> str:
        """The beginning of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def confirmed_by(self, shown: str) -> str:
        """The text, for the form that showed it. Raises `InvalidField` without a confirmation, and `Conflict`."""
        if not shown:
            raise InvalidField("Confirm that the candidate was told: tick the box of the form.", "consent")
        if shown != self.id:
            raise Conflict("The text about the candidate's consent has changed. Reload the page and confirm it again.")
        return self.text


@dataclass(frozen=True, slots=True)
class Preferences:
    """An account's settings. None is the deployment's own, or the product's."""

    retention_days: int | None = None
    consent_text: str | None = None
    default_rubric_id: str | None = None
    rate_first: bool = False
    """Whether people rate a candidate before the web app shows them the model's scores."""

    @property
    def consent(self) -> Consent:
        """What is confirmed about the candidate."""
        return Consent(self.consent_text or CONSENT)


async def get(session: AsyncSession, account_id: str) -> Preferences:
    """The account's settings."""
    account = await session.get_one(Account, account_id)
    return Preferences(account.retention_days, account.consent_text, account.default_rubric_id, account.rate_first)


async def retention_s(session: AsyncSession, account_id: str, deployment_s: float) -> float:
    """Seconds that the account keeps a finished interview: never more than the deployment does."""
    days = (await session.get_one(Account, account_id)).retention_days
    return deployment_s if days is None else min(deployment_s, days * DAY_S)


async def change(session: AsyncSession, actor: Actor, wanted: Preferences) -> None:
    """Store an account's settings, and log those that change. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    before, after = asdict(await get(session, actor.account_id)), asdict(wanted)
    changed = [WORDS[name] for name in after if after[name] != before[name]]
    await session.exec(update(Account).where(col(Account.id) == actor.account_id).values(after))
    if changed:
        await audit.record(session, actor, Action.SETTINGS_CHANGED, None, ", ".join(changed))
