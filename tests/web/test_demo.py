"""The demo as a stranger meets it, at 1280 and at 390 pixels."""

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.support.world import tone
from tests.web.test_interviews import fits


@pytest.fixture(params=[1280, 390])
async def stranger(request: pytest.FixtureRequest, browser: Browser, base_url: str) -> AsyncIterator[Page]:
    """A page without a sign-in, wide and narrow. Errors of scripts and of the policy fail the test."""
    context = await browser.new_context(base_url=base_url, viewport={"width": request.param, "height": 900})
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None)
    yield page
    await context.close()
    assert not problems


async def clean(page: Page) -> None:
    """The page fits its width and breaks none of axe's rules."""
    assert await fits(page)
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()


@pytest.mark.usefixtures("executor")
async def test_a_stranger_tries_the_sample_and_reads_the_result(stranger: Page) -> None:
    """From the home page over the upload and the live states to the words of the transcript."""
    await stranger.goto("/")
    await clean(stranger)
    await stranger.get_by_role("link", name="Try it").click()
    await clean(stranger)
    await stranger.get_by_role("button", name="take the sample interview").click()
    await expect(stranger.get_by_text("sample interview.ogg")).to_be_visible()
    await stranger.get_by_role("checkbox").check()
    await stranger.get_by_role("button", name="Upload and assess").click()
    await expect(stranger.get_by_text("A person decides, not this page.")).to_be_visible(timeout=60_000)
    await clean(stranger)
    address = stranger.url
    other = await stranger.context.new_page()
    await other.goto(address)
    await expect(other.locator(".transcript li").first).to_be_visible()


async def test_what_is_too_long_is_refused_before_the_upload(stranger: Page) -> None:
    """Six minutes: the page names the limit, and nothing is sent."""
    sent: list[str] = []
    stranger.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    await stranger.goto("/try")
    long = {"name": "long.wav", "mimeType": "audio/wav", "buffer": tone(360, 8000)}
    await stranger.locator("#file").set_input_files(long)  # type: ignore[arg-type]
    await expect(stranger.get_by_role("alert")).to_contain_text("6 minutes; a demo takes 5")
    await stranger.get_by_role("checkbox").check()
    await stranger.get_by_role("button", name="Upload and assess").click()
    assert not sent


async def test_what_the_server_refuses_is_explained(stranger: Page) -> None:
    """A file without sound: the page says what is wrong and can be used again."""
    await stranger.goto("/try")
    notes = {"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no sound at all"}
    await stranger.locator("#file").set_input_files(notes)  # type: ignore[arg-type]
    await stranger.get_by_role("checkbox").check()
    await stranger.get_by_role("button", name="Upload and assess").click()
    await expect(stranger.get_by_role("alert")).to_contain_text("audio", timeout=20_000)
    await expect(stranger.get_by_role("button", name="Upload and assess")).to_be_enabled()
