"""Who calls, and what for: the dependencies routes declare."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from serve_app.errors import JobNotFound, Unauthorized, WrongScope
from serve_app.http.tokens import JobTokens
from serve_app.jobs import queries as jobs
from serve_app.jobs.models import Job
from serve_app.keys import service as keys
from serve_app.keys.models import ApiKey
from serve_app.services import Services as ServiceBundle
from serve_app.settings import Settings
from serve_app.verticals.spec import VerticalSpec

bearer = HTTPBearer(auto_error=False, description="`lv_sk_<scope>_…`, made in the dashboard or with the admin CLI.")


def get_services(request: Request) -> ServiceBundle:
    """The services this app was built over."""
    services: ServiceBundle = request.app.state.services
    return services


Services = Annotated[ServiceBundle, Depends(get_services)]


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request."""

    key: ApiKey

    @property
    def account_id(self) -> str:
        """Whose credits and jobs these are."""
        return self.key.account_id


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def get_caller(request: Request, services: Services, credentials: Credentials, response: Response) -> Caller:
    """The caller. Raises `Unauthorized` and `RateLimited`; says in the headers how many requests are left."""
    if credentials is None:
        raise Unauthorized
    async with services.database.transaction() as session:
        key = await keys.verify(session, credentials.credentials)
    window = await services.limiter.hit("per-key", services.settings.rate_limit, key.id)
    request.state.rate_limit = window.headers() if window else {}  # for an error answer, which is made elsewhere
    response.headers.update(request.state.rate_limit)
    return Caller(key)


def client_address(request: Request, settings: Settings) -> str:
    """The address a request came from, as the proxies we trust tell it."""
    forwarded = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    hops = min(settings.trusted_proxies, len(forwarded))
    if hops:
        return forwarded[-hops]
    return request.client.host if request.client else "unknown"


CurrentCaller = Annotated[Caller, Depends(get_caller)]


async def opened_vertical(caller: CurrentCaller, services: Services, vertical: Annotated[str, Path()]) -> VerticalSpec:
    """The product in the path, if the caller's key opens it. Raises `VerticalNotFound` or `WrongScope`."""
    spec = services.catalog.get(vertical)
    if not caller.key.opens(spec.slug):
        raise WrongScope(
            f"This key is for '{caller.key.scope}', not for '{spec.slug}'. Use a key of that product or 'all'."
        )
    return spec


OpenedVertical = Annotated[VerticalSpec, Depends(opened_vertical)]


JobId = Annotated[str, Path(description="`job_` and 20 hexadecimal digits.", examples=["job_9f2c81d4a0b34e7f9d21"])]


async def owned_job(caller: CurrentCaller, services: Services, job_id: JobId) -> Job:
    """The job in the path, if it is the caller's. Raises `JobNotFound` or `WrongScope`."""
    async with services.database.transaction() as session:
        job = await jobs.owned(session, caller.account_id, job_id)
    if not caller.key.opens(job.vertical):
        raise WrongScope
    return job


OwnedJob = Annotated[Job, Depends(owned_job)]


async def account_caller(caller: CurrentCaller) -> Caller:
    """A caller who may act for the whole account. Raises `WrongScope` for a key of one product."""
    if not caller.key.opens_all:
        raise WrongScope("Only a key with scope 'all' may manage keys.")
    return caller


AccountCaller = Annotated[Caller, Depends(account_caller)]


def tokens(request: Request) -> JobTokens:
    """Signs and reads tokens for one job."""
    signer: JobTokens = request.app.state.tokens
    return signer


async def readable_job(
    request: Request,
    response: Response,
    job_id: JobId,
    credentials: Credentials,
    token: Annotated[str | None, Query(max_length=500, description="Instead of a key: a stream token.")] = None,
) -> Job:
    """The job in the path, for its owner's key or for a token made for it. Raises as `owned_job` does."""
    services = get_services(request)
    if credentials is not None or token is None:
        return await owned_job(await get_caller(request, services, credentials, response), services, job_id)
    if tokens(request).job_id(token) != job_id:
        raise JobNotFound
    async with services.database.transaction() as session:
        return await jobs.by_id(session, job_id)


ReadableJob = Annotated[Job, Depends(readable_job)]
