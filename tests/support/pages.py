"""Steps on the pages that many tests take."""

import re

import httpx

from tests.support.world import Customer


async def signed_in(client: httpx.AsyncClient, customer: Customer) -> str:
    """Sign in with the customer's key. Returns the token that forms carry."""
    await client.post("/sign-in", data={"api_key": customer.secret})
    page = await client.get("/interviews")
    return re.search(r'name="form_token" value="([^"]+)"', page.text)[1]  # type: ignore[index]
