"""People come in by links, in a real browser, at 1280 and at 390 pixels."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from serve_app.accounts import links
from serve_app.accounts.actors import Role
from serve_app.accounts.models import LinkKind
from serve_app.services import Services
from tests.support.visitors import PASSWORD, new_member
from tests.support.world import Customer
from tests.web.test_interviews import fits


async def test_an_invited_viewer_joins_in_a_browser_of_their_own(
    page: Page, browser: Browser, base_url: str, services: Services
) -> None:
    """The owner copies the link from the page; the guest chooses a password and sees what a viewer sees."""
    services.settings.public_url = base_url
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("link", name="Members").click()
    await page.get_by_label("E-mail").fill("vic@example.com")
    await page.locator("select[name=role]").last.select_option("viewer")
    await page.get_by_role("button", name="Make the invitation").click()
    link = await page.locator("#link").inner_text()
    assert await fits(page)

    guest = await (await browser.new_context(viewport=page.viewport_size)).new_page()  # type: ignore[arg-type]
    await guest.goto(link)
    assert await fits(guest)
    assert not (await Axe().run(guest)).response["violations"]
    await guest.get_by_label("Password").fill("passwordpassword")
    await guest.get_by_role("button", name="Join").click()
    await expect(guest.get_by_role("alert")).to_contain_text("easy to guess")
    await guest.get_by_label("Password").fill(PASSWORD)
    await guest.get_by_role("button", name="Join").click()
    await expect(guest.get_by_role("heading", name="Interviews")).to_be_visible()
    await expect(guest.get_by_role("link", name="New interview")).to_have_count(0)
    await guest.get_by_role("button", name="Sign out").click()
    assert not (await Axe().run(guest)).response["violations"]
    await guest.get_by_label("E-mail").fill("vic@example.com")
    await guest.get_by_label("Password").fill(PASSWORD)
    await guest.get_by_role("button", name="Sign in", exact=True).click()
    await guest.wait_for_url("**/interviews")

    await page.reload()
    await page.goto("/settings/members")
    await page.locator("summary", has_text="vic@example.com").click()
    await page.get_by_role("button", name="Remove vic@example.com").click()
    await expect(page.get_by_text("vic@example.com")).to_have_count(0)
    await guest.reload()
    await expect(guest.get_by_role("heading", name="Sign in")).to_be_visible()
    await guest.context.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_sign_in_link_opens_the_app(
    browser: Browser, base_url: str, services: Services, customer: Customer, *, scripts: bool
) -> None:
    """At once where scripts run, and by the page's button where they do not. The second time it is used up."""
    owner = await new_member(services, customer.account_id, Role.OWNER, "ada@example.com")
    async with services.database.transaction() as session:
        secret = await links.make_for_member(session, customer.actor, owner.id, LinkKind.SIGN_IN)
    context = await browser.new_context(base_url=base_url, java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(f"/links/{secret}")
    if not scripts:
        await page.get_by_role("button", name=re.compile("^Open")).click()
    await page.wait_for_url("**/interviews")
    await page.goto(f"/links/{secret}")
    await expect(page.get_by_text("was used already")).to_be_visible()
    await context.close()
