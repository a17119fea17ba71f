"""`/docs` in a real browser: its forms work as they open."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.world import Customer, tone


@pytest.fixture
async def docs(browser: Browser, base_url: str) -> AsyncIterator[Page]:
    """The opened documentation."""
    page = await browser.new_page(base_url=base_url, viewport={"width": 1280, "height": 900})
    await page.goto("/docs")
    yield page
    await page.close()


async def tried(page: Page, operation: str) -> Locator:
    """An operation, opened to try it out."""
    section = page.locator(f"#operations-{operation}")
    await section.locator(".opblock-summary-control").click()
    await section.get_by_role("button", name="Try it out").click()
    return section


async def test_a_recording_is_submitted_with_the_form_as_it_opens(docs: Page, customer: Customer) -> None:
    """With a key and a file added, and no other field touched, the answer is 202."""
    await docs.get_by_role("button", name="Authorize").first.click()
    await docs.locator(".auth-container input").fill(customer.secret)
    await docs.locator(".auth-btn-wrapper .authorize").click()
    await docs.locator(".auth-btn-wrapper .btn-done").click()
    section = await tried(docs, "jobs-submit_job")
    optional = section.locator("tr[data-property-name]:not([data-property-name=role_title])")
    for field in await optional.locator("input[type=text], select, textarea").all():
        await expect(field).to_have_value("")
    await section.locator("tr[data-property-name=file] input[type=file]").set_input_files(
        {"name": "call.wav", "mimeType": "audio/wav", "buffer": tone(2)}
    )
    await section.get_by_role("button", name="Execute").click()
    await expect(section.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("202")


@pytest.mark.parametrize(
    ("operation", "status"), [("credits-get_prices", 200), ("models-get_models_status", 200), ("jobs-list_jobs", 401)]
)
async def test_other_forms_are_sent_as_they_open(docs: Page, operation: str, status: int) -> None:
    """Public operations answer 200; without a key, the others say so and nothing else."""
    section = await tried(docs, operation)
    await section.get_by_role("button", name="Execute").click()
    await expect(section.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(str(status))
