"""People who are signed in to an account, in one role or another."""

import httpx

from serve_app.accounts import members, sessions
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.models import Member
from serve_app.accounts.passwords import hash_password
from serve_app.http.pages.form_tokens import FormTokens
from serve_app.http.pages.visitors import COOKIE
from serve_app.services import Services

PASSWORD = "seven lamps over copper hills"


async def new_member(services: Services, account_id: str, role: Role, email: str = "", password: str = "") -> Member:
    """A member of an account. Without `email`, the address names the role and the account."""
    hashed = await hash_password(password) if password else None
    async with services.database.transaction() as session:
        return await members.add_member(session, account_id, email or f"{role}@{account_id}.example", role, hashed)


async def as_actor(client: httpx.AsyncClient, services: Services, actor: Actor) -> str:
    """Give the client a session of this actor. Returns the token that its forms carry."""
    async with services.database.transaction() as session:
        secret = (await sessions.begin(session, actor, "a test")).secret
    client.cookies.set(COOKIE, secret)
    return FormTokens(services.settings.secret_key.get_secret_value()).of(secret)


async def as_role(client: httpx.AsyncClient, services: Services, account_id: str, role: Role) -> str:
    """Sign the client in as a new member. Returns the token that its forms carry."""
    return await as_actor(client, services, (await new_member(services, account_id, role)).actor)
