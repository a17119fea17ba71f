"""A Chromium from the PATH, and the app with fake models on a real server."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from serve_app.http.app import create_app
from serve_app.services import Services
from tests.support.asgi import served
from tests.support.world import Customer

OFFLINE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium or Chrome."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on the PATH")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OFFLINE)
        yield browser
        await browser.close()


@pytest.fixture
async def base_url(services: Services) -> AsyncIterator[str]:
    """The app's address."""
    async with served(create_app(services)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=[1280, 390])
async def page(
    request: pytest.FixtureRequest, browser: Browser, base_url: str, customer: Customer
) -> AsyncIterator[Page]:
    """A signed-in visitor's page, wide and narrow. Errors of scripts and of the policy fail the test."""
    context = await browser.new_context(base_url=base_url, viewport={"width": request.param, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(20_000)  # a page may wait for two busy cores
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Security Policy" in message.text else None)
    await page.goto("/sign-in")
    await page.get_by_text("Sign in with an API key").click()
    await page.get_by_label("A key with scope").fill(customer.secret)
    await page.get_by_role("button", name="Sign in with the key").click()
    await page.wait_for_url("**/interviews")
    yield page
    await context.close()
    assert not problems, problems
