"""Every page by axe's rules, in light and dark."""

from typing import Literal

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.fakes import local_pool
from tests.support.scored import score
from tests.support.world import Customer
from tests.web.test_developers import PAGES as DEVELOPERS

PUBLIC = ("/pricing", "/docs/errors", "/pool")
SETTINGS = (
    "/settings",
    "/settings/members",
    "/settings/account",
    "/settings/log",
    "/settings/erase?candidate=call.wav",
)


@pytest.fixture
async def pages(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> tuple[str, ...]:
    """Addresses of every kind of page: an interview that is finished, one that failed, and one that waits."""

    async def interview() -> str:
        return str((await submit(client, customer)).json()["job_id"])

    finished = await interview()
    await Executor(services, pool).run_next()
    await score(services.database, finished)
    services.settings.max_attempts = 1
    failing, failed = local_pool(services.database, asr={"fail": "inference"}), await interview()
    await Executor(services, failing).run_next()
    await failing.close()
    jobs = (finished, failed, await interview())
    endpoint = await client.post("/v1/webhooks", json={"url": "https://example.com/"}, headers=customer.headers)
    webhook = f"/dashboard/webhooks/{endpoint.json()['webhook_id']}"
    own = ("/interviews", "/interviews/new", *SETTINGS, *DEVELOPERS, webhook)
    return (*own, *PUBLIC, *(f"/interviews/{job}" for job in jobs))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_breaks_a_rule(pages: tuple[str, ...], page: Page, scheme: Literal["light", "dark"]) -> None:
    """Names, contrast, order and landmarks: no violation on any page."""
    await page.emulate_media(color_scheme=scheme)
    for address in pages:
        await page.goto(address)
        found = await Axe().run(page)
        assert not found.response["violations"], (address, found.generate_report())
