"""Fixtures: a receiver on this machine, an endpoint for it, and a deliverer that tests step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from serve_app.services import Services
from serve_app.settings import Settings
from serve_app.webhooks.delivery import Deliverer
from serve_app.webhooks.sending import LEASE_S, Sender
from tests.support.receiver import Receiver, receiving
from tests.support.world import Customer


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings that allow deliveries to this machine."""
    settings.webhook_allow_loopback = True
    return settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that answers 200 until told otherwise."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def deliverer(services: Services) -> Deliverer:
    """A deliverer as the executor runs it."""
    return Deliverer(services.database, services.bus, Sender.of(services.settings), LEASE_S)


@pytest.fixture
async def endpoint(client: httpx.AsyncClient, customer: Customer, receiver: Receiver) -> dict[str, Any]:
    """An endpoint of the customer at the receiver, as its creation answered it."""
    return await create(client, customer, url=receiver.url)


async def create(client: httpx.AsyncClient, customer: Customer, **fields: Any) -> dict[str, Any]:
    """Create an endpoint."""
    response = await client.post("/v1/webhooks", json=fields, headers=customer.headers)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


@pytest.fixture
def with_sender(services: Services) -> Callable[..., Deliverer]:
    """Makes a deliverer whose sender differs in some fields."""

    def make(**fields: Any) -> Deliverer:
        return Deliverer(services.database, services.bus, replace(Sender.of(services.settings), **fields), LEASE_S)

    return make
