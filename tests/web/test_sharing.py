"""From a scorecard to a link that a stranger opens, in two real browsers at 1280 and at 390 pixels."""

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.scored import score
from tests.support.world import Customer
from tests.web.test_interviews import fits
from tests.web.test_scorecard import ARRIVES_MS, rate


@pytest.fixture
async def interview(client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer) -> str:
    """The page of a finished and scored interview."""
    job_id = (await submit(client, customer, seconds=4, label="Ada Lovelace", role_title="Nurse")).json()["job_id"]
    await Executor(services, pool).run_next()
    await services.feeds.until_over(job_id, 30)  # the fixture `executor` may have been faster
    await score(services.database, job_id)
    return f"/interviews/{job_id}"


@pytest.fixture
async def stranger(browser: Browser, page: Page) -> Page:
    """A page of another browser, as wide as the first one, that is not signed in."""
    context = await browser.new_context(viewport=page.viewport_size)
    return await context.new_page()


async def clean(page: Page) -> bool:
    """Whether the page fits and breaks no rule of accessibility."""
    return await fits(page) and not (await Axe().run(page)).response["violations"]


async def make_link(page: Page, base_url: str) -> str:
    """Press the button and read the address."""
    await page.get_by_role("button", name="Make a link").click()
    address = await page.locator("[data-new] code").inner_text()
    return address.replace("http://test", base_url)


@pytest.mark.usefixtures("executor")
async def test_from_evidence_to_a_judgement_a_correction_and_a_link_that_is_taken_back(
    page: Page, stranger: Page, base_url: str, services: Services, interview: str
) -> None:
    """The whole way of a recruiter: check, rate, correct, assess again, send on, revoke."""
    await page.goto(interview)
    await page.locator(".quotes a").first.click()
    await expect(page.locator("mark:target")).to_be_in_viewport()
    await rate(page, "Working with others", "3")
    await page.get_by_text("Hold", exact=True).click()
    await page.get_by_role("button", name="Save your judgement").click()
    await expect(page.get_by_text("1 level below the model")).to_be_visible()

    await page.get_by_role("button", name="Correct", exact=True).click()
    await page.locator(".speaker").last.get_by_role("radio").check()
    await page.get_by_role("button", name="Assess again · 1 credit").click()
    await expect(page.get_by_role("heading", name="What changed")).to_be_visible(timeout=ARRIVES_MS)
    await expect(page.get_by_text("as stated.")).to_be_visible()
    await score(services.database, page.url.rpartition("/")[2])

    await page.get_by_role("link", name="Send on").click()
    await page.locator("section", has=page.locator("#link")).get_by_label("Transcript").check()
    address = await make_link(page, base_url)
    assert await clean(page)
    await stranger.goto(address)
    await expect(stranger.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    await expect(stranger.get_by_text("A person decides")).to_be_visible()
    await expect(stranger.get_by_role("heading", name="Transcript")).to_be_visible()
    assert await clean(stranger)

    await page.reload()
    await expect(page.get_by_text("1 view", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("Revoked")).to_be_visible()
    await stranger.reload()
    await expect(stranger.get_by_role("heading", name="This link has ended")).to_be_visible()
    assert await clean(stranger)


async def test_a_passcode_stands_before_a_link(page: Page, stranger: Page, base_url: str, interview: str) -> None:
    """The stranger is asked, errs once, and reads the page without the candidate's name."""
    await page.goto(f"{interview}/send")
    assert await clean(page)
    await page.get_by_label("Passcode, if you want one").fill("open sesame")
    await page.get_by_label("Hide the candidate's name and the label").first.check()
    await stranger.goto(await make_link(page, base_url))
    for passcode in ("open barley", "open sesame"):
        await stranger.get_by_label("Passcode").fill(passcode)
        assert await clean(stranger)
        await stranger.get_by_role("button", name="Open").click()
    await expect(stranger.get_by_role("heading", name="Scorecard")).to_be_visible()
    await expect(stranger.get_by_text("Lovelace")).to_have_count(0)


async def test_a_file_with_chosen_sections_is_saved(page: Page, interview: str) -> None:
    """The PDF that the button saves is a PDF."""
    await page.goto(f"{interview}/send")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="PDF", exact=True).click()
    path = await (await saved.value).path()
    assert path.read_bytes()[:4] == b"%PDF"
