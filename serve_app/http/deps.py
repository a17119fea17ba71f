"""Dependencies of the routes: the services, the caller's key, and the product or job in the path."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from serve_app import services as app_services
from serve_app.accounts.actors import Actor
from serve_app.errors import JobNotFound, Unauthorized, WrongScope
from serve_app.http.tokens import JobTokens
from serve_app.jobs import queries as jobs
from serve_app.jobs.models import Job
from serve_app.keys import service as keys
from serve_app.keys.models import ApiKey
from serve_app.settings import Settings
from serve_app.verticals.spec import VerticalSpec

bearer = HTTPBearer(
    auto_error=False, description="`lv_sk_<scope>_…`, created in the dashboard or with the operators' command."
)


def get_services(request: Request) -> app_services.Services:
    """The services of this app."""
    services: app_services.Services = request.app.state.services
    return services


Services = Annotated[app_services.Services, Depends(get_services)]


@dataclass(frozen=True, slots=True)
class Caller:
    """The key of a request."""

    key: ApiKey

    @property
    def account_id(self) -> str:
        """The account that owns the key."""
        return self.key.account_id

    @property
    def actor(self) -> Actor:
        """The key as one who acts."""
        return self.key.actor


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def get_caller(request: Request, services: Services, credentials: Credentials, response: Response) -> Caller:
    """The caller. Raises `Unauthorized` and `RateLimited`. Sets the `RateLimit` headers of the response."""
    if credentials is None:
        raise Unauthorized
    async with services.database.transaction() as session:
        key = await keys.verify(session, credentials.credentials)
    window = await services.limiter.hit("per-key", services.settings.rate_limit, key.id)
    request.state.rate_limit = window.headers() if window else {}  # errors.respond adds them to error answers
    response.headers.update(request.state.rate_limit)
    return Caller(key)


def client_address(request: Request, settings: Settings) -> str:
    """The client's IP address. Only the last `trusted_proxies` entries of X-Forwarded-For are trusted."""
    forwarded = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    hops = min(settings.trusted_proxies, len(forwarded))
    if hops:
        return forwarded[-hops]
    return request.client.host if request.client else "unknown"


CurrentCaller = Annotated[Caller, Depends(get_caller)]


Vertical = Annotated[
    str, Path(description="The slug of a product.", openapi_examples={"recruitscreen": {"value": "recruitscreen"}})
]


async def get_vertical(caller: CurrentCaller, services: Services, vertical: Vertical) -> VerticalSpec:
    """The product in the path. Raises `VerticalNotFound`, and `WrongScope` when the key's scope excludes it."""
    spec = services.catalog.get(vertical)
    if not caller.key.opens(spec.slug):
        raise WrongScope(
            f"This key has scope '{caller.key.scope}', not '{spec.slug}'. Use a key of scope '{spec.slug}' or 'all'."
        )
    return spec


PermittedVertical = Annotated[VerticalSpec, Depends(get_vertical)]


JobId = Annotated[str, Path(description="`job_` and 20 hexadecimal digits.", examples=["job_9f2c81d4a0b34e7f9d21"])]


async def get_owned_job(caller: CurrentCaller, services: Services, job_id: JobId) -> Job:
    """The job in the path. Raises `JobNotFound` unless the caller owns it, and `WrongScope`."""
    async with services.database.transaction() as session:
        job = await jobs.get_owned(session, caller.account_id, job_id)
    if not caller.key.opens(job.vertical):
        raise WrongScope
    return job


OwnedJob = Annotated[Job, Depends(get_owned_job)]


async def get_account_caller(caller: CurrentCaller) -> Caller:
    """A caller with a key of scope 'all'. Raises `WrongScope` for other keys."""
    if not caller.key.opens_all:
        raise WrongScope("Only a key with scope 'all' can manage keys and webhooks. Use such a key.")
    return caller


AccountCaller = Annotated[Caller, Depends(get_account_caller)]


def job_tokens(request: Request) -> JobTokens:
    """Signs and reads job tokens."""
    signer: JobTokens = request.app.state.tokens
    return signer


async def get_readable_job(
    request: Request,
    response: Response,
    job_id: JobId,
    credentials: Credentials,
    token: Annotated[str | None, Query(max_length=500, description="A stream token, in place of a key.")] = None,
) -> Job:
    """The job in the path, for a key of its owner or for a stream token of this job. Raises as `get_owned_job`."""
    services = get_services(request)
    if credentials is not None or token is None:
        return await get_owned_job(await get_caller(request, services, credentials, response), services, job_id)
    if job_tokens(request).job_id(token) != job_id:
        raise JobNotFound
    async with services.database.transaction() as session:
        return await jobs.get_job(session, job_id)


ReadableJob = Annotated[Job, Depends(get_readable_job)]
