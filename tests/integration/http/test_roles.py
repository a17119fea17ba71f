"""Who may use which page: every route that needs a sign-in, as a viewer, a recruiter and an owner."""

import json

import httpx
import pytest
from fastapi.routing import APIRoute

from deployments.replica.local_pool import LocalPool
from serve_app.accounts.actors import Role
from serve_app.executor import Executor
from serve_app.http.app import ROUTERS
from serve_app.http.request_examples import REQUESTS
from serve_app.services import Services
from tests.support.calls import submit
from tests.support.visitors import as_role
from tests.support.world import Customer, tone

BROWSER = {"Accept": "text/html"}
PUBLIC = {
    "GET /", "GET /dashboard", "GET /docs", "GET /docs/errors", "GET /healthz", "GET /pool", "GET /pricing",
    "GET /try", "GET /try/sample.ogg", "GET /try/{job_id}",
    "GET /sign-in", "POST /sign-in", "GET /links/{secret}", "POST /links/{secret}", "GET /s/{token}",
    "POST /s/{token}",
}  # fmt: skip
LEAST_ROLE = {
    "GET /interviews": Role.VIEWER,
    "GET /interviews/list.csv": Role.RECRUITER,
    "GET /interviews/compare": Role.VIEWER,
    "GET /interviews/delete": Role.RECRUITER,
    "POST /interviews/delete": Role.RECRUITER,
    "GET /interviews/new": Role.RECRUITER,
    "POST /interviews": Role.RECRUITER,
    "POST /interviews/quote": Role.RECRUITER,
    "GET /interviews/{job_id}": Role.VIEWER,
    "GET /interviews/{job_id}/transcript.{format_}": Role.RECRUITER,
    "GET /interviews/{job_id}/scorecard.{format_}": Role.RECRUITER,
    "POST /interviews/{job_id}/review": Role.RECRUITER,
    "POST /interviews/{job_id}/assessments": Role.RECRUITER,
    "GET /interviews/{job_id}/send": Role.RECRUITER,
    "POST /interviews/{job_id}/links": Role.RECRUITER,
    "POST /interviews/{job_id}/links/{link_id}/revoke": Role.RECRUITER,
    "POST /interviews/{job_id}/cancel": Role.RECRUITER,
    "POST /interviews/{job_id}/retry": Role.RECRUITER,
    "POST /interviews/{job_id}/delete": Role.RECRUITER,
    "GET /dashboard/keys": Role.OWNER,
    "POST /dashboard/keys/create": Role.OWNER,
    "POST /dashboard/keys/{key_id}/rotate": Role.OWNER,
    "POST /dashboard/keys/{key_id}/revoke": Role.OWNER,
    "GET /rubrics": Role.VIEWER,
    "GET /rubrics/new": Role.VIEWER,
    "POST /rubrics/save": Role.RECRUITER,
    "GET /rubrics/{rubric_id}": Role.VIEWER,
    "POST /rubrics/{rubric_id}/preview": Role.RECRUITER,
    "POST /rubrics/{rubric_id}/delete": Role.RECRUITER,
    "GET /dashboard/webhooks": Role.OWNER,
    "POST /dashboard/webhooks/create": Role.OWNER,
    "GET /dashboard/webhooks/{webhook_id}": Role.OWNER,
    "POST /dashboard/webhooks/{webhook_id}/rotate": Role.OWNER,
    "POST /dashboard/webhooks/{webhook_id}/test": Role.OWNER,
    "POST /dashboard/webhooks/{webhook_id}/replay": Role.OWNER,
    "POST /dashboard/webhooks/{webhook_id}/{switch}": Role.OWNER,
    "GET /dashboard/usage": Role.OWNER,
    "GET /dashboard/usage.csv": Role.OWNER,
    "GET /dashboard/playground": Role.OWNER,
    "GET /settings": Role.VIEWER,
    "POST /settings/password": Role.VIEWER,
    "POST /settings/sessions/{session_id}/end": Role.VIEWER,
    "GET /settings/members": Role.OWNER,
    "POST /settings/members/invite": Role.OWNER,
    "POST /settings/members/invitations/{link_id}/withdraw": Role.OWNER,
    "POST /settings/members/{member_id}/role": Role.OWNER,
    "POST /settings/members/{member_id}/remove": Role.OWNER,
    "POST /settings/members/{member_id}/link": Role.OWNER,
    "GET /settings/account": Role.OWNER,
    "POST /settings/account": Role.OWNER,
    "GET /settings/log": Role.OWNER,
    "GET /settings/erase": Role.RECRUITER,
    "POST /settings/erase": Role.RECRUITER,
    "POST /sign-out": Role.VIEWER,
}
FORMS = {
    "POST /dashboard/keys/create": {"scope": "all"},
    "POST /interviews/delete": {"jobs": "{job_id}"},
    "POST /dashboard/webhooks/create": {"url": "https://example.com/hook"},
    "POST /settings/members/invite": {"email": "ada@example.com", "role": "viewer"},
    "POST /settings/members/{member_id}/role": {"role": "owner"},
    "POST /settings/members/{member_id}/link": {"kind": "reset"},
    "POST /settings/erase": {"candidate": "Ada", "confirmed": "on"},
    "POST /interviews/{job_id}/links": {"days": "7", "section-scores": "yes"},
}
UPLOADS = {
    "POST /rubrics/save": {"json": REQUESTS["create_rubric"]},
    "POST /interviews": {"data": {"role_title": "Nurse"}, "files": {"file": ("a.wav", tone(2))}},
    "POST /interviews/quote": {"data": {"duration_s": "61"}},
}
BODIES = {
    "POST /interviews/{job_id}/review": {"note": "Well."},
    "POST /interviews/{job_id}/assessments": {"role_title": "Baker"},
}
FORMATS = {"GET /interviews/{job_id}/transcript.{format_}": "txt"}


def routes() -> set[str]:
    """Method and path of every route outside /v1."""
    return {
        f"{method} {route.path}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/v1")
        for method in route.methods
    }


async def call(client: httpx.AsyncClient, route: str, token: str, job_id: str) -> int:
    """Use a route as its page does. Returns the status."""
    method, path = route.split()
    path = path.replace("{job_id}", job_id).replace("{format_}", FORMATS.get(route, "json")).replace("{switch}", "off")
    if route in UPLOADS:
        return (await client.post(path, **UPLOADS[route], headers={"X-Form-Token": token})).status_code
    if route in BODIES:
        return (await client.post(path, json=BODIES[route], headers={"X-Form-Token": token})).status_code
    form = {"data": {"form_token": token} | _form(route, job_id)} if method == "POST" else {}
    return (await client.request(method, path, **form, headers=BROWSER)).status_code


def _form(route: str, job_id: str) -> dict[str, str]:
    return {name: value.replace("{job_id}", job_id) for name, value in FORMS.get(route, {}).items()}


def test_every_route_says_who_may_use_it() -> None:
    """A route that is neither public nor in the table of roles fails here: say who may use it."""
    assert routes() == PUBLIC | LEAST_ROLE.keys()


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_may_use_its_routes_and_no_others(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer, role: Role
) -> None:
    """The service refuses with 403 what the role does not include, and nothing else."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    token = await as_role(client, services, customer.account_id, role)
    refused = {route for route in LEAST_ROLE if await call(client, route, token, job_id) == 403}
    assert refused == {route for route, least in LEAST_ROLE.items() if not role.covers(least)}


async def test_a_refused_action_changes_nothing(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """After a viewer's attempts, the interview is still there, no key was made, and the page says who can help."""
    job_id = (await submit(client, customer)).json()["job_id"]
    await Executor(services, pool).run_next()
    token = await as_role(client, services, customer.account_id, Role.VIEWER)
    refused = await client.post(f"/interviews/{job_id}/delete", data={"form_token": token}, headers=BROWSER)
    assert "Ask an owner of your account" in refused.text
    await call(client, "POST /dashboard/keys/create", token, job_id)
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert job["result"]
    assert len((await client.get("/v1/keys", headers=customer.headers)).json()) == 1


async def test_a_viewers_pages_do_not_offer_what_is_refused(
    client: httpx.AsyncClient, services: Services, pool: LocalPool, customer: Customer
) -> None:
    """No link to the form of a new interview, to keys or to exports, and no button to erase."""
    job_id = (await submit(client, customer, metadata=json.dumps({"candidate": "Ada"}))).json()["job_id"]
    await Executor(services, pool).run_next()
    await as_role(client, services, customer.account_id, Role.VIEWER)
    for page in ("/interviews", f"/interviews/{job_id}"):
        text = (await client.get(page)).text
        assert "Ada" in text
        assert not [link for link in ("/interviews/new", "/keys", ".pdf", ".txt", "/delete") if link in text]
