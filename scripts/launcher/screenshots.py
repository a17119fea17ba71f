"""Take pictures of every page of a running system, wide and narrow, for the documentation.

`make run` must be up. The pages show the newest finished interview, by default the bundled one. No picture holds a
secret: keys are shown by their prefix only.
"""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from playwright.async_api import APIResponse, Page, Response, async_playwright

from scripts.launcher.sample_job import ROLE_TITLE, SAMPLE
from scripts.launcher.sample_picture import write_sample_picture
from serve_app.settings import ROOT, Paths

SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
QUICKSTART = Paths().run_dir / "quickstart.json"
LOADED_MS = 800
"""For what scripts add to a page after it has loaded."""
SLOW = {"/docs": ".opblock"}
"""Pages whose scripts need longer, and what is there when they are done."""
PUBLIC = {
    "home": "/", "try": "/try", "sign-in": "/sign-in", "pool": "/pool", "prices": "/pricing", "errors": "/docs/errors",
    "api": "/docs",
}  # fmt: skip
OWN = {
    "interviews": "/interviews", "new-interview": "/interviews/new", "rubrics": "/rubrics",
    "new-rubric": "/rubrics/new?product=recruitscreen", "keys": "/dashboard/keys", "usage": "/dashboard/usage",
    "webhooks": "/dashboard/webhooks", "playground": "/dashboard/playground", "settings": "/settings",
    "members": "/settings/members", "account": "/settings/account", "audit-log": "/settings/log",
    "erase": "/settings/erase",
}  # fmt: skip


def screenshots(
    *,
    quickstart: Annotated[Path, typer.Option(help="Written by `make run`: address and key.")] = QUICKSTART,
    folder: Annotated[Path, typer.Option(help="Where the pictures go.")] = ROOT / "docs" / "images",
    sample_picture: Annotated[bool, typer.Option(help="Also write the scorecard on the home page.")] = False,
) -> None:
    """Write `PAGE-wide.png` and `PAGE-narrow.png` for every page."""
    started = json.loads(quickstart.read_text("utf-8"))
    with httpx.Client(
        base_url=started["base_url"], headers={"Authorization": f"Bearer {started['api_key']}"}, timeout=90
    ) as api:
        job = newest_interview(api)
    if sample_picture:
        write_sample_picture(job)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(started["base_url"], started["api_key"], job["job_id"], folder))


def newest_interview(api: httpx.Client) -> dict[str, Any]:
    """The newest finished interview with its result. Submits the bundled one where there is none."""
    found = api.get("/v1/jobs", params={"status": "completed", "limit": 1}).raise_for_status().json()["data"]
    if found:
        job_id = found[0]["job_id"]
    else:
        with SAMPLE.open("rb") as file:
            form = {"role_title": ROLE_TITLE}
            answer = api.post("/v1/recruitscreen/jobs", data=form, files={"file": (SAMPLE.name, file)})
        job_id = answer.raise_for_status().json()["job_id"]
    while True:
        job: dict[str, Any] = api.get(f"/v1/jobs/{job_id}", params={"wait": 60}).raise_for_status().json()
        if job["status"] == "completed":
            return job
        if job["status"] in {"failed", "canceled"}:
            raise typer.BadParameter(f"The interview {job_id} is {job['status']}: {job['detail']}. Submit another one.")


async def take_all(base_url: str, api_key: str, job_id: str, folder: Path) -> None:
    """Take every page at every size: the public ones as a stranger, the others signed in."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            context = await browser.new_context(base_url=base_url, viewport={"width": width, "height": height})
            page = await context.new_page()
            await take(page, PUBLIC, folder, size)
            await must_work(await context.request.post("/sign-in", form={"api_key": api_key}))
            await take(page, OWN | {"scorecard": f"/interviews/{job_id}"}, folder, size)
        await browser.close()


async def take(page: Page, pages: dict[str, str], folder: Path, size: str) -> None:
    """Take pictures of some pages at one size. Raises `typer.BadParameter` for a page that does not open."""
    for name, path in pages.items():
        await must_work(await page.goto(path))
        await page.wait_for_selector(SLOW.get(path, "main"))
        await page.wait_for_timeout(LOADED_MS)
        await page.screenshot(path=folder / f"{name}-{size}.png")


async def must_work(answer: Response | APIResponse | None) -> None:
    """Raise unless the server has sent what was asked for."""
    if answer is None or not answer.ok:
        raise typer.BadParameter(f"{answer.url} answered {answer.status}." if answer else "The page did not open.")


def chromium() -> str:
    """The Chromium or Chrome on the PATH."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise typer.BadParameter("There is no Chromium on the PATH. Install one: apt-get install chromium.")
    return path


if __name__ == "__main__":
    typer.run(screenshots)
