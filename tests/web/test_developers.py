"""A developer's journey in a real browser, at 1280 and at 390 pixels."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.world import Customer, tone
from tests.web.test_interviews import fits

PAGES = ("/dashboard/keys", "/dashboard/usage", "/dashboard/webhooks", "/dashboard/playground")
OPERATIONS = ("quote_job", "list_jobs", "get_job", "get_scorecard", "reassess_job", "get_models_status")


async def test_a_key_is_created_copied_and_revoked_after_a_question(page: Page) -> None:
    """The secret can be copied; a revocation asks first, and may be thought better of."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("link", name="Developers").click()
    await page.get_by_text("New key").click()
    await page.get_by_label("Name").fill("CI")
    await page.get_by_role("button", name="Create key").click()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await page.locator("#secret").text_content()
    row = page.locator("tbody tr", has_text="CI")
    await row.get_by_role("button", name="Revoke").first.click()
    await row.get_by_role("button", name="Keep it").press("Enter")
    await expect(row.get_by_role("dialog")).to_be_hidden()
    await row.get_by_role("button", name="Revoke").first.click()
    await row.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row.locator(".state")).to_have_text("revoked")


async def test_an_endpoint_is_created_and_tested(page: Page) -> None:
    """From the empty page to a delivery in the log."""
    await page.goto("/dashboard/webhooks")
    await page.get_by_label("Address").fill("https://example.com/a-rather-long-path/" + "hooks/" * 12)
    await page.get_by_label("job.completed").check()
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_text("Copy the signing secret now.")).to_be_visible()
    assert await fits(page)
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.get_by_text("endpoint.test")).to_be_visible()
    assert await fits(page)
    await page.get_by_role("button", name="Delete").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No endpoint yet.")).to_be_visible()


@pytest.mark.parametrize("address", PAGES)
async def test_no_page_scrolls_sideways(page: Page, address: str) -> None:
    """Everything can be read at both widths."""
    await page.goto(address)
    assert await fits(page)


@pytest.mark.usefixtures("executor")
async def test_the_playground_runs_requests_and_its_code_runs_as_it_stands(
    page: Page, customer: Customer, tmp_path: Path
) -> None:
    """A submit, then others about its job: the page shows the answer, and curl, Python and JavaScript repeat it."""
    recording = tmp_path / "it's a call.wav"
    recording.write_bytes(tone(2))
    await page.goto("/dashboard/playground")
    await page.locator("#key").fill(customer.secret)
    await page.locator("[name=file]").set_input_files(recording)
    await page.locator("[name=label]").fill('O\'Neil "7" ünd $HOME')
    await send(page, 202)
    await code_runs(page, customer, tmp_path)
    await page.get_by_role("link", name="Open the interview").click()
    await expect(page.get_by_text("A person decides, not this page.")).to_be_visible(timeout=60_000)
    for operation in OPERATIONS:
        await page.goto(f"/dashboard/playground?operation={operation}")
        if await page.locator("#key").count():
            await page.locator("#key").fill(customer.secret)
        await send(page, 202 if operation == "reassess_job" else 200)
        assert await fits(page)
        await code_runs(page, customer, tmp_path)


async def send(page: Page, status: int) -> None:
    """Send the request and read the status of the answer."""
    await page.get_by_role("button", name="Send the request").click()
    await expect(page.locator("#status")).to_have_text(re.compile(rf"^{status} after"), timeout=20_000)


async def code_runs(page: Page, customer: Customer, folder: Path) -> None:
    """Run what the page shows, with the key in the environment."""
    shown = {name: await page.locator(f"#{name}").text_content() or "" for name in ("curl", "python", "javascript")}
    assert customer.secret not in "".join(shown.values())
    (folder / "use.mjs").write_text(shown["javascript"])
    commands = [
        ["bash", "-c", shown["curl"].replace("curl ", "curl --fail ", 1)],
        [sys.executable, "-c", shown["python"]],
    ]
    if shutil.which("node"):
        commands.append(["node", "use.mjs"])
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=os.environ | {"RECRUITSCREEN_API_KEY": customer.secret},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, (command, output)
