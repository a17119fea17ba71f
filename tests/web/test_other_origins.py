"""A customer's own page, on another origin, follows a job in a real browser."""

import httpx
import pytest
from playwright.async_api import Browser
from starlette.responses import HTMLResponse

from serve_app.http.app import create_app
from serve_app.services import Services
from tests.support.asgi import served
from tests.support.calls import submit
from tests.support.world import Customer

CUSTOMERS_PAGE = """<!doctype html><title>A customer's page</title><script type="module">
const {api, key} = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const headers = {Authorization: `Bearer ${key}`};
const {data} = await (await fetch(`${api}/v1/jobs`, {headers})).json();
const token = await (await fetch(`${api}/v1/jobs/${data[0].job_id}/stream-token`, {method: "POST", headers})).json();
const states = [];
const source = new EventSource(api + token.events_url);
source.addEventListener("status", (event) => {
  const {status, terminal} = JSON.parse(event.data);
  states.push(status);
  if (terminal) { source.close(); window.followed = states; }
});
</script>"""


@pytest.mark.usefixtures("executor")
async def test_a_page_of_another_origin_follows_a_job(
    services: Services, browser: Browser, base_url: str, customer: Customer
) -> None:
    """It lists the jobs by its key, gets a stream token, and its `EventSource` reads every state to the end."""
    async with httpx.AsyncClient(base_url=base_url) as client:
        await submit(client, customer)
    async with served(HTMLResponse(CUSTOMERS_PAGE)) as port:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{port}/#api={base_url}&key={customer.secret}")
        await page.wait_for_function("window.followed", timeout=60_000)
        states = await page.evaluate("window.followed")
        await page.close()
    assert (states[0], states[-1]) == ("queued", "completed")


async def test_a_page_of_an_origin_that_is_not_allowed_reads_nothing(
    services: Services, browser: Browser, customer: Customer
) -> None:
    """Where a setting narrows the origins, the browser keeps the answers from other pages."""
    services.settings.cors_origins = ["https://app.customer.example"]
    async with served(create_app(services)) as api, served(HTMLResponse("<!doctype html>")) as port:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{port}/")
        ask = f"fetch('http://127.0.0.1:{api}/v1/models/status').then(() => 'read', () => 'kept away')"
        assert await page.evaluate(ask) == "kept away"
        await page.close()
