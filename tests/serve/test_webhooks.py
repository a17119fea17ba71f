"""Webhooks of the running stack: the Executor deployment delivers them."""

import time

import httpx
from standardwebhooks import Webhook

from scripts.launcher.stack import Stack
from tests.serve.test_live_api import open_customer, upload
from tests.support.calls import JOBS
from tests.support.receiver import receiving


def test_the_end_of_a_job_is_told(stack: Stack) -> None:
    """A job that runs to its end on a real Ray is told to the account's endpoint, signed, soon after."""
    customer = open_customer(stack, 10)
    with receiving() as receiver, httpx.Client(base_url=stack.base_url, headers=customer.headers, timeout=90) as client:
        endpoint = client.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status().json()
        job_id = client.post(JOBS, **upload()).raise_for_status().json()["job_id"]
        assert client.get(f"/v1/jobs/{job_id}?wait=60").json()["status"] == "completed"
        end = time.monotonic() + 10
        while "job.completed" not in receiver.types and time.monotonic() < end:
            time.sleep(0.05)
        request = receiver.received[receiver.types.index("job.completed")]
    assert request.message["data"]["job_id"] == job_id
    Webhook(endpoint["secret"]).verify(request.body, request.headers)
