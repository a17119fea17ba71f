"""Webhooks: endpoints and their secrets, the log of deliveries, replays. Needs a key of scope 'all'."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from serve_app import services as app_services
from serve_app.errors import Conflict, FileTooLarge, InvalidField, NotFound, RateLimited, Unauthorized, WrongScope
from serve_app.http.deps import AccountCaller, Services
from serve_app.http.openapi import refusals
from serve_app.http.schemas import ListPage
from serve_app.http.webhook_schemas import AttemptView, DeliveryView, NewWebhook, Replayed, SentTest, WebhookView
from serve_app.storage.outbound import OutboundPolicy, Refused, check_url
from serve_app.storage.pagination import Limit, Position
from serve_app.storage.text import Storable
from serve_app.webhooks import endpoints, log, outbox
from serve_app.webhooks.endpoints import EndpointTerms, Rotation
from serve_app.webhooks.log import Range
from serve_app.webhooks.models import DeliveryState, DisabledReason, Endpoint, Event, EventType
from serve_app.webhooks.signing import Keys

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=refusals(Unauthorized, WrongScope, RateLimited))

MAX_OVERLAP_S = 24 * 3600
NO_BODY = refusals(NotFound, InvalidField)
WITH_BODY = refusals(NotFound, InvalidField, FileTooLarge)
WebhookId = Annotated[str, Path(description="`ep_` and 20 hexadecimal digits.", examples=["ep_41c9e0b7d25f4a83b6e1"])]
Url = Annotated[
    Storable,
    Field(
        max_length=2000,
        description="Where events are sent, by POST. https only, on a public address, without credentials.",
        examples=["https://example.com/hooks/recruitscreen"],
    ),
]
Description = Annotated[Storable, Field(max_length=200, description="A note for people.")]


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Events = Annotated[
    list[EventType],
    Field(min_length=1, max_length=20, description="Types to send. All of them, also future ones, if not sent."),
    AfterValidator(_distinct),
]
Products = Annotated[
    list[Annotated[Storable, Field(max_length=64)]],
    Field(
        min_length=1,
        max_length=20,
        description="Slugs of the products whose jobs to send. All of them if not sent. Events about no job are sent "
        "in any case.",
        examples=[["recruitscreen"]],
    ),
    AfterValidator(_distinct),
]


class WebhookRequest(BaseModel):
    """A new endpoint."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    description: Description = ""
    events: Events | None = None
    products: Products | None = None


class WebhookChange(BaseModel):
    """What to change of an endpoint. Fields that are not sent stay as they are."""

    model_config = ConfigDict(extra="forbid")

    url: Url = ""
    description: Description = ""
    events: Events | None = Field(default=None, description="Types to send. `null` sends all.")
    products: Products | None = Field(default=None, description="Slugs of products. `null` sends all.")
    enabled: bool = Field(default=True, description="False switches the endpoint off. True switches it on again.")


class SecretRotation(BaseModel):
    """Terms of a rotation."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_S, description="Seconds for which the old secret signs beside the new one.")
    ] = MAX_OVERLAP_S
    force: bool = Field(
        default=False,
        description="Rotate although the last rotation still overlaps. The oldest secret then ends at once.",
    )


class ReplayRequest(BaseModel):
    """Which events to send again: one, a span of time, what was missed, or what was missed in a span of time."""

    model_config = ConfigDict(extra="forbid")

    event_id: Annotated[Storable, Field(max_length=32, description="This event alone.")] | None = None
    since: AwareDatetime | None = Field(default=None, description="Events that happened at or after this time.")
    until: AwareDatetime | None = Field(default=None, description="Events that happened before this time.")
    missed: bool = Field(default=False, description="Only events that did not arrive and are not tried any more.")

    @model_validator(mode="after")
    def _says_what(self) -> "ReplayRequest":
        chosen = self.since is not None or self.until is not None or self.missed
        if (self.event_id is not None) == chosen:
            raise ValueError("send either 'event_id', or 'since', 'until' or 'missed'")
        return self


class LogQuery(BaseModel):
    """A page of the log. Unknown parameters are refused: a misspelt filter would list everything."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 20
    cursor: Annotated[str, Field(max_length=500)] | None = None


class DeliveriesQuery(LogQuery):
    """Filter and page of a list of deliveries."""

    status: DeliveryState | None = None


class AttemptsQuery(LogQuery):
    """Filter and page of a list of attempts."""

    event_id: Annotated[Storable, Field(max_length=32)] | None = None


async def get_owned_endpoint(caller: AccountCaller, services: Services, webhook_id: WebhookId) -> Endpoint:
    """The endpoint in the path. Raises `NotFound` unless the caller's account owns it."""
    async with services.database.transaction() as session:
        return await endpoints.get_owned(session, caller.actor, webhook_id)


OwnedEndpoint = Annotated[Endpoint, Depends(get_owned_endpoint)]


@router.get("")
async def list_webhooks(caller: AccountCaller, services: Services) -> list[WebhookView]:
    """List the account's endpoints, newest first."""
    async with services.database.transaction() as session:
        found = await endpoints.list_endpoints(session, caller.actor)
        secrets = await endpoints.live_secrets(session, [endpoint.id for endpoint in found])
    return [WebhookView.of(endpoint, secrets[endpoint.id]) for endpoint in found]


@router.post("", status_code=201, responses=refusals(Conflict, InvalidField, FileTooLarge))
async def create_webhook(caller: AccountCaller, services: Services, request: WebhookRequest) -> NewWebhook:
    """Create an endpoint. Only this response contains its secret. An account may have ten."""
    check_terms(services, request.url, request.products)
    terms = EndpointTerms(request.url, request.description, _values(request.events), request.products)
    async with services.database.transaction() as session:
        endpoint, keys = await endpoints.create(session, caller.actor, terms, _secret_key(services))
        await session.refresh(endpoint)
    return await _with_secret(services, endpoint, keys)


@router.get("/{webhook_id}", responses=NO_BODY)
async def get_webhook(endpoint: OwnedEndpoint, services: Services) -> WebhookView:
    """Get an endpoint: its filters, its health and its public keys."""
    return await _view(services, endpoint)


@router.patch("/{webhook_id}", responses=WITH_BODY)
async def change_webhook(
    caller: AccountCaller, services: Services, webhook_id: WebhookId, request: WebhookChange
) -> WebhookView:
    """Change an endpoint, or switch it off or on. What it misses while it is off can be replayed."""
    changes = request.model_dump(exclude_unset=True, exclude={"enabled"})
    check_terms(services, changes.get("url"), changes.get("products"))
    async with services.database.transaction() as session:
        endpoint = await endpoints.get_owned(session, caller.actor, webhook_id, lock=True)
        await endpoints.change(session, caller.actor, endpoint, changes)
        if "enabled" in request.model_fields_set and request.enabled:
            await endpoints.enable(session, endpoint)
        elif "enabled" in request.model_fields_set:
            await endpoints.disable(session, endpoint, DisabledReason.OWNER)
        await session.refresh(endpoint)
    return await _view(services, endpoint)


@router.delete("/{webhook_id}", status_code=204, responses=NO_BODY)
async def delete_webhook(caller: AccountCaller, services: Services, webhook_id: WebhookId) -> None:
    """Delete an endpoint with its secrets and its log. Nothing is sent to it any more."""
    async with services.database.transaction() as session:
        await endpoints.delete(session, caller.actor, webhook_id)


@router.post("/{webhook_id}/rotate", status_code=201, responses=WITH_BODY | refusals(Conflict))
async def rotate_webhook_secret(
    caller: AccountCaller, services: Services, webhook_id: WebhookId, request: SecretRotation
) -> NewWebhook:
    """Make a new secret. For a day, messages carry the signatures of both. 409 while an earlier rotation overlaps."""
    async with services.database.transaction() as session:
        endpoint = await endpoints.get_owned(session, caller.actor, webhook_id, lock=True)
        keys = await endpoints.rotate(
            session, caller.actor, endpoint, _secret_key(services), Rotation(request.overlap_s, request.force)
        )
    return await _with_secret(services, endpoint, keys)


@router.post("/{webhook_id}/test", status_code=202, responses=NO_BODY | refusals(Conflict))
async def test_webhook(endpoint: OwnedEndpoint, services: Services) -> SentTest:
    """Send an `endpoint.test` event to this endpoint. The list of attempts then shows what it answered."""
    _must_be_on(endpoint)
    data = {"webhook_id": endpoint.id}
    event = Event(account_id=endpoint.account_id, type=EventType.ENDPOINT_TEST, data=data)
    async with services.database.transaction() as session:
        await outbox.add(session, event, only=endpoint.id)
    return SentTest(event_id=event.id)


@router.post("/{webhook_id}/replay", status_code=202, responses=WITH_BODY | refusals(Conflict))
async def replay_webhook_events(endpoint: OwnedEndpoint, services: Services, request: ReplayRequest) -> Replayed:
    """Send events again, with their first `webhook-id`: one, those of a span of time, or those that were missed."""
    _must_be_on(endpoint)
    async with services.database.transaction() as session:
        if request.event_id is not None:
            return Replayed(replayed=await log.replay_event(session, endpoint.id, request.event_id))
        range_ = Range(request.since, request.until, request.missed)
        return Replayed(replayed=await log.replay_range(session, endpoint.id, range_))


@router.get("/{webhook_id}/deliveries", responses=NO_BODY)
async def list_webhook_deliveries(
    endpoint: OwnedEndpoint, services: Services, query: Annotated[DeliveriesQuery, Query()]
) -> ListPage[DeliveryView]:
    """List the events for this endpoint of the last 30 days, newest first, and whether they have arrived."""
    async with services.database.transaction() as session:
        page = await log.list_deliveries(session, endpoint.id, query.status, Position.read(query.cursor), query.limit)
    return ListPage(
        data=[DeliveryView.of(row) for row in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


@router.get("/{webhook_id}/attempts", responses=NO_BODY)
async def list_webhook_attempts(
    endpoint: OwnedEndpoint, services: Services, query: Annotated[AttemptsQuery, Query()]
) -> ListPage[AttemptView]:
    """List every attempt of the last 30 days, newest first: time, status and the first 2 kB of the answer."""
    async with services.database.transaction() as session:
        page = await log.list_attempts(session, endpoint.id, query.event_id, Position.read(query.cursor), query.limit)
    return ListPage(
        data=[AttemptView.of(row) for row in page.rows],
        has_more=page.next_cursor is not None,
        next_cursor=page.next_cursor,
    )


def check_webhook_url(services: app_services.Services, url: str, field: str) -> None:
    """Raise `InvalidField` for a URL that is not delivered to."""
    try:
        check_url(url, OutboundPolicy(services.settings.webhook_allow_loopback))
    except Refused as refusal:
        raise InvalidField(f"'{field}': {refusal}", field) from None


def check_terms(services: app_services.Services, url: str | None, products: list[str] | None) -> None:
    """Raise `InvalidField` for a URL that is not delivered to, and for a product that does not exist."""
    if url is not None:
        check_webhook_url(services, url, "url")
    known = [spec.slug for spec in services.catalog]
    for slug in products or ():
        if slug not in known:
            raise InvalidField(
                f"'products': there is no product '{slug}'. Send some of: {', '.join(known)}.", "products"
            )


def _must_be_on(endpoint: Endpoint) -> None:
    if endpoint.disabled_reason in {DisabledReason.OWNER, DisabledReason.GONE}:
        raise Conflict("The endpoint is disabled. Switch it on first: PATCH it with 'enabled': true.")


def _values(events: list[EventType] | None) -> list[str] | None:
    return None if events is None else [str(event) for event in events]


def _secret_key(services: app_services.Services) -> str:
    return services.settings.secret_key.get_secret_value()


async def _view(services: app_services.Services, endpoint: Endpoint) -> WebhookView:
    async with services.database.transaction() as session:
        return WebhookView.of(endpoint, (await endpoints.live_secrets(session, [endpoint.id]))[endpoint.id])


async def _with_secret(services: app_services.Services, endpoint: Endpoint, keys: Keys) -> NewWebhook:
    return NewWebhook(secret=keys.secret, **(await _view(services, endpoint)).model_dump())
