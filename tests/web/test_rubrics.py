"""A recruiter makes a rubric in a real browser, at 1280 and at 390 pixels."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.web.test_interviews import fits, recording


async def clean(page: Page) -> None:
    """The page fits its width and breaks none of axe's rules."""
    assert await fits(page)
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()


@pytest.mark.usefixtures("executor")
async def test_from_a_copy_to_a_past_interview_that_is_assessed_by_it(page: Page) -> None:
    """Copy, be told what is wrong in place, mend it with the keyboard, save two versions, preview, use it."""
    await page.goto("/interviews/new")
    await page.set_input_files("#files", [recording(2)])
    await page.get_by_label("Role title").fill("Nurse")
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Upload and assess").click()
    await expect(page.get_by_text("A person decides, not this page.")).to_be_visible(timeout=60_000)
    await page.goto("/rubrics")
    await clean(page)
    await page.get_by_role("link", name="Copy and change").click()
    await clean(page)
    first = page.locator("#competencies fieldset").first
    await first.get_by_label("What it means").fill("Speaks with a native accent.")
    await page.get_by_role("button", name="Save the rubric").click()
    await expect(page.get_by_text("Not saved: 2 fields need a change.")).to_be_visible()
    await expect(first.get_by_text("which must not be assessed")).to_be_visible()
    await expect(page.get_by_label("Name of the rubric")).to_be_focused()
    await clean(page)
    await page.keyboard.type("Ward 3")
    await first.get_by_label("What it means").fill("Finds the cause of a problem on the ward.")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Save the rubric").press("Enter")
    await page.wait_for_url(re.compile("/rubrics/rub_"))
    await page.locator("#competencies fieldset").last.get_by_role("button", name="Remove").click()
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.get_by_text("Version 2, saved")).to_be_visible()
    await clean(page)
    await page.get_by_role("button", name="Assess it by this rubric").click()
    await expect(page.get_by_text("Ward-3.v2").first).to_be_visible(timeout=60_000)
    await page.goto("/interviews/new")
    await expect(page.get_by_label("Rubric")).to_contain_text("Ward 3, version 2")
    assert await fits(page)
