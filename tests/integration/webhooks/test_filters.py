"""Which endpoint gets which event."""

from typing import Any

import httpx
import pytest

from serve_app.services import Services
from serve_app.webhooks.delivery import Deliverer
from tests.integration.webhooks.conftest import create
from tests.integration.webhooks.test_delivery import cancel_one
from tests.support.receiver import Receiver
from tests.support.world import Customer, new_customer


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["job.canceled", "job.deleted"]),
        ({"events": ["job.deleted"]}, ["job.deleted"]),
        ({"products": ["recruitscreen"]}, ["job.canceled", "job.deleted"]),
        ({"events": ["job.completed"]}, []),
    ],
)
async def test_an_endpoint_gets_what_it_asked_for(
    client: httpx.AsyncClient,
    customer: Customer,
    receiver: Receiver,
    deliverer: Deliverer,
    filters: dict[str, Any],
    expected: list[str],
) -> None:
    """Filters by event and product decide what is queued."""
    await create(client, customer, url=receiver.url, **filters)
    job_id = await cancel_one(client, customer)
    await client.delete(f"/v1/jobs/{job_id}", headers=customer.headers)
    while await deliverer.deliver_due():
        pass
    assert receiver.types == expected


async def test_another_accounts_endpoint_gets_nothing(
    client: httpx.AsyncClient, services: Services, endpoint: object, receiver: Receiver, deliverer: Deliverer
) -> None:
    """Events stay in their account."""
    await cancel_one(client, await new_customer(services.database))
    assert await deliverer.deliver_due() == 0
