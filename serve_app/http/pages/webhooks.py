"""The webhook pages: endpoints, their secrets shown once, tests, deliveries with their attempts, replays."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError

from serve_app import services as app_services
from serve_app.errors import Invalid, RecruitScreenError
from serve_app.http.api import webhooks as api
from serve_app.http.api.webhooks import ReplayRequest, WebhookRequest
from serve_app.http.deps import Services
from serve_app.http.errors import message_of
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, Visitor
from serve_app.storage.pagination import Position
from serve_app.storage.text import Storable
from serve_app.webhooks import endpoints, log
from serve_app.webhooks.endpoints import EndpointTerms, Rotation
from serve_app.webhooks.models import DeliveryState, DisabledReason, Endpoint, EventType

router = APIRouter(prefix="/dashboard/webhooks", include_in_schema=False)

PAGE = 25
OVERLAP_S = 24 * 3600
EVENT_FIELD = "event "
"""Prefix of a checkbox's name; the event's type follows."""
OWN_EVENTS = [event for event in EventType if event is not EventType.ENDPOINT_TEST]
"""Events that an endpoint can choose. A test is sent whatever it has chosen."""
DONE = {
    "tested": "A test event is on its way. Reload the page to see what the endpoint answered.",
    "on": "The endpoint is on again. What it missed is not sent by itself: replay it below.",
    "off": "The endpoint is off. What happens meanwhile counts as missed and can be replayed.",
    "replayed": "The events are sent again, with their first ids.",
    "nothing": "There is nothing to replay: no event was missed.",
}


class LogView(BaseModel):
    """Which part of the log is shown, and what has just been done."""

    status: DeliveryState | None = None
    event: Annotated[Storable, Field(max_length=32)] | None = None
    cursor: Annotated[str, Field(max_length=500)] | None = None
    done: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the last action: a message, or a new secret."""

    message: str = ""
    secret: str = ""


class Switch(StrEnum):
    """What can be done to an endpoint that needs no page of its own."""

    ON = "on"
    OFF = "off"
    DELETE = "delete"


async def get_endpoint(visitor: CurrentVisitor, services: Services, webhook_id: str) -> Endpoint:
    """The endpoint in the path. Raises `NotFound` unless the visitor's account owns it."""
    async with services.database.transaction() as session:
        return await endpoints.get_owned(session, visitor.actor, webhook_id)


OwnedEndpoint = Annotated[Endpoint, Depends(get_endpoint)]


@router.get("")
async def list_webhooks(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """The account's endpoints, and the form of a new one."""
    return await _list_page(visitor, services)


@router.post("/create")
async def create_webhook(visitor: FormSender, services: Services, fields: FormFields) -> HTMLResponse:
    """Create an endpoint and show its secret, once."""
    try:
        request = WebhookRequest.model_validate(_terms(fields))
        api.check_terms(services, request.url, request.products)
        events = None if request.events is None else [str(event) for event in request.events]
        terms = EndpointTerms(request.url, request.description, events, request.products)
        async with services.database.transaction() as session:
            endpoint, keys = await endpoints.create(session, visitor.actor, terms, _secret_key(services))
    except ValidationError as error:
        return await _list_page(visitor, services, _message(error), fields)
    except RecruitScreenError as error:
        return await _list_page(visitor, services, error.message, fields)
    return await _endpoint_page(visitor, services, endpoint.id, LogView(), Outcome(secret=keys.secret))


@router.get("/{webhook_id}")
async def show_webhook(
    visitor: CurrentVisitor, services: Services, webhook_id: str, view: Annotated[LogView, Query()]
) -> HTMLResponse:
    """One endpoint with its deliveries, or with the attempts at one of them."""
    return await _endpoint_page(visitor, services, webhook_id, view, Outcome(DONE.get(view.done, "")))


@router.post("/{webhook_id}/rotate")
async def rotate_secret(visitor: FormSender, services: Services, webhook_id: str) -> HTMLResponse:
    """Make a new secret and show it, once. For a day, messages carry the signatures of both."""
    try:
        async with services.database.transaction() as session:
            endpoint = await endpoints.get_owned(session, visitor.actor, webhook_id, lock=True)
            keys = await endpoints.rotate(session, visitor.actor, endpoint, _secret_key(services), Rotation(OVERLAP_S))
    except RecruitScreenError as error:
        return await _endpoint_page(visitor, services, webhook_id, LogView(), Outcome(error.message))
    return await _endpoint_page(visitor, services, webhook_id, LogView(), Outcome(secret=keys.secret))


@router.post("/{webhook_id}/test")
async def send_test(_: FormSender, services: Services, endpoint: OwnedEndpoint) -> Response:
    """Send a test event."""
    await api.test_webhook(endpoint, services)
    return _to(endpoint.id, "tested")


@router.post("/{webhook_id}/replay")
async def replay(_: FormSender, services: Services, endpoint: OwnedEndpoint, fields: FormFields) -> Response:
    """Send one event again, or all that were missed."""
    event_id = fields.get("event_id")
    try:
        request = ReplayRequest(event_id=event_id) if event_id else ReplayRequest(missed=True)
    except ValidationError as error:
        raise Invalid(_message(error)) from None
    answer = await api.replay_webhook_events(endpoint, services, request)
    return _to(endpoint.id, "replayed" if answer.replayed else "nothing")


@router.post("/{webhook_id}/{switch}")
async def switch_endpoint(visitor: FormSender, services: Services, webhook_id: str, switch: Switch) -> Response:
    """Switch an endpoint on or off, or delete it with its log."""
    async with services.database.transaction() as session:
        endpoint = await endpoints.get_owned(session, visitor.actor, webhook_id, lock=True)
        if switch is Switch.DELETE:
            await endpoints.delete(session, visitor.actor, webhook_id)
            return RedirectResponse("/dashboard/webhooks", 303, PRIVATE)
        await endpoints.change(session, visitor.actor, endpoint, {})
        if switch is Switch.ON:
            await endpoints.enable(session, endpoint)
        else:
            await endpoints.disable(session, endpoint, DisabledReason.OWNER)
    return _to(webhook_id, switch)


def _terms(fields: dict[str, str]) -> dict[str, Any]:
    """The form as the API's request. Without a chosen event, all are sent."""
    events = [name.removeprefix(EVENT_FIELD) for name in fields if name.startswith(EVENT_FIELD)]
    products = [fields["product"]] if "product" in fields else None
    asked = {"url": fields.get("url", "").strip(), "description": fields.get("description", "")}
    return asked | {"events": events or None, "products": products}


def _message(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    return f"{first['loc'][0]}: {message_of(first)}."


async def _list_page(
    visitor: Visitor, services: app_services.Services, message: str = "", fields: dict[str, str] | None = None
) -> HTMLResponse:
    async with services.database.transaction() as session:
        found = await endpoints.list_endpoints(session, visitor.actor)
    context = {
        "visitor": visitor, "endpoints": found, "message": message, "fields": fields or {}, "events": OWN_EVENTS,
        "products": list(services.catalog), "most": endpoints.MAX_ENDPOINTS, "event_field": EVENT_FIELD,
    }  # fmt: skip
    return render("webhooks.html", context, status=422 if message else 200, policy=SCRIPT_POLICY, headers=PRIVATE)


async def _endpoint_page(
    visitor: Visitor, services: app_services.Services, webhook_id: str, view: LogView, outcome: Outcome
) -> HTMLResponse:
    after = Position.read(view.cursor)
    async with services.database.transaction() as session:
        endpoint = await endpoints.get_owned(session, visitor.actor, webhook_id)
        context: dict[str, Any] = {"visitor": visitor, "endpoint": endpoint, "view": view, "message": outcome.message}
        context |= {"secret": outcome.secret, "states": list(DeliveryState), "deliveries": None, "attempts": None}
        if view.event:
            context["attempts"] = await log.list_attempts(session, endpoint.id, view.event, after, PAGE)
        else:
            context["deliveries"] = await log.list_deliveries(session, endpoint.id, view.status, after, PAGE)
        context["secrets"] = (await endpoints.live_secrets(session, [endpoint.id]))[endpoint.id]
    return render("webhook.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


def _secret_key(services: app_services.Services) -> str:
    return services.settings.secret_key.get_secret_value()


def _to(webhook_id: str, done: str) -> RedirectResponse:
    return RedirectResponse(f"/dashboard/webhooks/{webhook_id}?done={done}", 303, PRIVATE)
