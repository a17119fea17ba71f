"""What an account decides for itself: how long interviews are kept, and what is confirmed about consent."""

import hashlib
from dataclasses import dataclass

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


async def get_consent(session: AsyncSession, account_id: str) -> Consent:
    """What is confirmed about the candidate."""
    return Consent((await session.get_one(Account, account_id)).consent_text or CONSENT)


async def retention_s(session: AsyncSession, account_id: str, deployment_s: float) -> float:
    """Seconds that the account keeps a finished interview: never more than the deployment does."""
    days = (await session.get_one(Account, account_id)).retention_days
    return deployment_s if days is None else min(deployment_s, days * DAY_S)


async def change(session: AsyncSession, actor: Actor, retention_days: int | None, consent_text: str | None) -> None:
    """Store an account's settings; None is the deployment's own. Raises `NotPermitted` unless the actor is an owner."""
    actor.must_be(Role.OWNER)
    values = {"retention_days": retention_days, "consent_text": consent_text}
    await session.exec(update(Account).where(col(Account.id) == actor.account_id).values(values))
    kept = "as long as the deployment does" if retention_days is None else f"{retention_days} days"
    note = f"interviews are kept {kept}; consent text {Consent(consent_text or CONSENT).id}"
    await audit.record(session, actor, Action.SETTINGS_CHANGED, None, note)
