"""The demo's pages: limits named, live, the result for an hour, and nobody else's interview."""

import re

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import JOBS, submit
from tests.support.fakes import local_pool
from tests.support.world import Customer, tone

HOSTILE = "<script>alert(1)</script>"


async def demo(client: httpx.AsyncClient) -> str:
    """Start a demo as the form's script does. Returns the address of its page."""
    answer = await client.post(
        f"/v1/demo{JOBS[3:]}", data={"role_title": HOSTILE}, files={"file": ("call.wav", tone(2))}
    )
    return f"/try/{answer.json()['job_id']}?token={answer.json()['token']}"


async def test_the_form_names_the_limits(client: httpx.AsyncClient) -> None:
    """Length, size and number of demos, and where the sample is."""
    page = (await client.get("/try")).text
    assert "Up to 5 minutes and 20 MB" in page
    assert "3 an hour" in page
    sample = await client.get("/try/sample.ogg")
    assert sample.headers["content-type"] == "audio/ogg"
    assert sample.content[:4] == b"OggS"


async def test_a_stranger_watches_a_demo_and_reads_its_result(
    client: httpx.AsyncClient, services: Services, pool: LocalPool
) -> None:
    """Live first, then the scorecard with the transcript; no form of a signed-in page is on it."""
    page = await demo(client)
    live = await client.get(page)
    assert re.search(r'data-events="/v1/jobs/job_\w+/events\?token=', live.text)
    await Executor(services, pool).run_next()
    result = await client.get(page)
    assert "A person decides, not this page." in result.text
    assert result.text.count('<li id="u-') > 0
    assert "<form" not in result.text
    for answer in (live, result):
        assert HOSTILE not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_failed_demo_says_why(client: httpx.AsyncClient, services: Services) -> None:
    """With the error's code, and the way to another try."""
    services.settings.max_attempts = 1
    page = await demo(client)
    failing = local_pool(services.database, asr={"fail": "inference"})
    await Executor(services, failing).run_next()
    await failing.close()
    text = (await client.get(page)).text
    assert "This did not work" in text
    assert 'href="/try"' in text


async def test_a_token_opens_its_own_demo_and_nothing_else(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """No token, another demo's token, and the stream token of an account's interview do not open a page."""
    first, second = await demo(client), await demo(client)
    token = second.partition("?")[2]
    assert (await client.get(first.partition("?")[0])).status_code == 401
    assert (await client.get(f"{first.partition('?')[0]}?{token}")).status_code == 404
    job_id = (await submit(client, customer)).json()["job_id"]
    stream = await client.post(f"/v1/jobs/{job_id}/stream-token", headers=customer.headers)
    assert (await client.get(f"/try/{job_id}", params={"token": stream.json()["token"]})).status_code == 404
