"""The list of interviews and the comparison, in a real browser at 1280 and at 390 pixels."""

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.scored import lengthen, score
from tests.support.world import Customer
from tests.web.test_interviews import fits


@pytest.fixture
async def candidates(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> list[str]:
    """Three finished interviews for one role, the last one scored from 1 to 5."""
    ids = []
    for label in ("Ada", "Grace", "Edith"):
        ids.append(str((await submit(client, customer, label=label, role_title="Nurse")).json()["job_id"]))
        await Executor(services, pool).run_next()
        await score(services.database, ids[-1])
    await lengthen(services.database, ids[-1], 500)
    return ids


async def test_candidates_are_found_ticked_compared_and_sorted(page: Page, candidates: list[str]) -> None:
    """Search narrows the list, two are ticked, compared, sorted by one competency; a quote leads to its words."""
    await page.goto("/interviews")
    await expect(page.get_by_role("button", name="Compare")).to_be_hidden()
    await page.get_by_label("Search candidate, role or file").fill("nurse")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/interviews?q=nurse*")
    for name in ("Ada", "Edith"):
        await page.get_by_role("checkbox", name=f"Choose {name}").check()
    assert await fits(page)
    await page.get_by_role("button", name="Compare").click()
    await expect(page.get_by_role("heading", name="2 candidates for Nurse")).to_be_visible()
    assert await fits(page)
    assert not (await Axe().run(page)).response["violations"]
    await page.get_by_role("link", name="Sort by Interest in the role").click()
    await expect(page.locator(".sorted")).to_have_text("highest first ↓")
    await expect(page.locator("tbody tr").last.locator("td").first).to_have_attribute("data-label", "Edith")
    await page.locator("tbody tr").last.locator(".quote a").first.click()
    await expect(page.locator("mark:target")).to_be_in_viewport()


async def test_the_comparison_is_printed_without_the_page_around_it(page: Page, candidates: list[str]) -> None:
    """Links to sort and the navigation are not on paper; the names are."""
    await page.goto("/interviews/compare?" + "&".join(f"job={job}" for job in candidates))
    await page.emulate_media(media="print")
    for gone in (".site", ".sorter", ".crumbs"):
        await expect(page.locator(gone).first).to_be_hidden()
    assert len(await page.pdf(landscape=True)) > 10_000


async def test_several_interviews_are_erased(page: Page, candidates: list[str]) -> None:
    """Tick two, read their names, erase: the third one is left."""
    await page.goto("/interviews")
    for name in ("Ada", "Grace"):
        await page.get_by_role("checkbox", name=f"Choose {name}").check()
    await page.get_by_role("button", name="Erase …").click()
    await expect(page.get_by_role("heading", name="Erase 2 interviews?")).to_be_visible()
    assert await fits(page)
    assert not (await Axe().run(page)).response["violations"]
    await page.get_by_role("button", name="Erase 2 interviews").click()
    await expect(page.get_by_role("link", name="Erased interview")).to_have_count(2)
    await expect(page.get_by_role("link", name="Edith")).to_be_visible()


async def test_a_tick_survives_the_lists_refresh(
    page: Page, client: httpx.AsyncClient, customer: Customer, candidates: list[str]
) -> None:
    """While an interview waits, the list is renewed; what was ticked stays ticked."""
    await submit(client, customer, label="Waits")
    await page.goto("/interviews")
    await page.get_by_role("checkbox", name="Choose Ada").check()
    before = await page.locator("#interviews").element_handle()
    assert before
    await page.wait_for_function("(list) => !list.isConnected", arg=before)
    await expect(page.get_by_role("checkbox", name="Choose Ada")).to_be_checked()
