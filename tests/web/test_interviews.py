"""A recruiter's journey in a real browser, at 1280 and at 390 pixels."""

import re

import pytest
from playwright.async_api import FilePayload, Page, expect

from serve_app.services import Services
from tests.support.scored import score
from tests.support.world import tone

ARRIVES_MS = 60_000


def recording(seconds: float, name: str = "ada_example.wav") -> FilePayload:
    """A recording as a person chooses it."""
    return {"name": name, "mimeType": "audio/wav", "buffer": tone(seconds)}


async def fits(page: Page) -> bool:
    """Whether the page can be read without scrolling sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def fill(page: Page) -> None:
    """Fill the form of a new interview."""
    await page.get_by_label("Role title").fill("Nurse")
    await page.get_by_role("checkbox").check()


@pytest.mark.usefixtures("executor")
async def test_from_an_upload_to_the_words_that_a_score_rests_on(page: Page, services: Services) -> None:
    """Choose a file, read its price, upload, follow the states, follow a quote, find it in the list."""
    await page.get_by_role("link", name="New interview").first.click()
    await page.set_input_files("#files", [recording(61)])
    await expect(page.locator("#queue .status")).to_contain_text("2 credits")
    await expect(page.get_by_label("Name or number")).to_have_value("ada example")
    assert await fits(page)
    await fill(page)
    await page.get_by_role("button", name="Upload and assess").click()
    await expect(page.get_by_text("A person decides, not this page.")).to_be_visible(timeout=ARRIVES_MS)
    await score(services.database, page.url.rpartition("/")[2])
    await page.reload()
    assert await fits(page)
    await page.locator(".quotes a").first.click()
    await expect(page.locator("mark:target")).to_be_in_viewport()
    await page.get_by_label("Search").fill("no such words")
    await expect(page.locator("#found")).to_have_text(re.compile("^0 of"))
    await page.get_by_role("link", name="Interviews").first.click()
    await expect(page.get_by_role("link", name="ada example")).to_be_visible()
    await expect(page.get_by_text("Advance")).to_be_visible()
    assert await fits(page)


async def test_a_cancel_on_the_live_page(page: Page) -> None:
    """Nothing works on it yet: the page shows the place in the queue, and a cancel returns the credits."""
    await page.goto("/interviews/new")
    await page.set_input_files("#files", [recording(2)])
    await fill(page)
    await page.get_by_role("button", name="Upload and assess").click()
    await expect(page.get_by_text("place 1 in the queue")).to_be_visible(timeout=ARRIVES_MS)
    assert await fits(page)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("Returned: 1")).to_be_visible()


async def test_of_several_files_the_refused_one_stays_and_says_why(page: Page) -> None:
    """The good recording is accepted; the bad one names what is wrong and can be removed."""
    await page.goto("/interviews/new")
    no_sound: FilePayload = {"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no sound at all"}
    await page.set_input_files("#files", [no_sound, recording(2)])
    await fill(page)
    page.context.set_default_timeout(ARRIVES_MS)
    async with page.expect_response(lambda answer: answer.status == 422):
        await page.get_by_role("button", name="Upload and assess").click()
    await expect(page.get_by_role("link", name="Accepted")).to_be_visible(timeout=ARRIVES_MS)
    await expect(page.locator("#queue .message")).to_contain_text("audio")
    await page.locator("#queue li", has_text="notes.wav").get_by_role("button", name="Remove").click()
    await expect(page.locator("#queue li")).to_have_count(1)


async def test_the_list_follows_an_interview_that_is_not_over(page: Page) -> None:
    """The state changes on the open page when the job is canceled elsewhere."""
    await page.goto("/interviews/new")
    await page.set_input_files("#files", [recording(2)])
    await fill(page)
    await page.get_by_role("button", name="Upload and assess").click()
    await page.wait_for_url(re.compile("/interviews/job_"), timeout=ARRIVES_MS)
    address = page.url
    await page.goto("/interviews")
    await expect(page.locator("td .state")).to_have_text("Queued")
    other = await page.context.new_page()
    await other.goto(address)
    await other.get_by_role("button", name="Cancel").click()
    await page.bring_to_front()
    await expect(page.locator("td .state")).to_have_text("Canceled", timeout=ARRIVES_MS)
