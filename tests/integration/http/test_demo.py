"""Anonymous demos: free, and limited per address and in total."""

import httpx

from deployments.replica.local_pool import LocalPool
from serve_app.executor import Executor
from serve_app.services import Services
from tests.support.calls import JOBS, error
from tests.support.world import tone


async def test_anonymous_demos_are_limited_and_free(
    client: httpx.AsyncClient, services: Services, pool: LocalPool
) -> None:
    """An address can start three demos an hour; the fourth gets 429, and each opens only with its own token."""
    await services.limiter._limiter.storage.reset()  # other tests start demos on the same Valkey
    answers = []
    for _ in range(4):
        files = {"file": ("call.wav", tone(1))}
        answers.append(await client.post(f"/v1/demo{JOBS[3:]}", data={"role_title": "x"}, files=files))
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert int(answers[3].headers["retry-after"]) > 0
    demo = answers[0].json()
    assert demo["credits_charged"] == 0
    await Executor(services, pool).run_next()
    assert (await client.get(demo["status_url"])).json()["status"] == "completed"
    assert (await client.get(f"/v1/jobs/{demo['job_id']}")).status_code == 401


async def test_all_demos_together_are_limited(client: httpx.AsyncClient, services: Services) -> None:
    """Demos from different addresses share one limit, and 429 says when to retry."""
    await services.limiter._limiter.storage.reset()  # other tests start demos on the same Valkey
    services.settings.trusted_proxies = 1
    demo = services.catalog.get("recruitscreen").demo
    assert demo
    limit = int(demo.total.split("/")[0])
    statuses = []
    for number in range(limit + 1):  # refused uploads count, so none has to be a job
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        statuses.append(await client.post(f"/v1/demo{JOBS[3:]}", data={"role_title": "x"}, headers=headers))
    assert {answer.status_code for answer in statuses[:-1]} == {422}
    assert (statuses[-1].status_code, error(statuses[-1])) == (429, "rate_limited")
    assert int(statuses[-1].headers["retry-after"]) > 0
    assert '"demo-total"' in statuses[-1].headers["ratelimit"]
    await services.limiter._limiter.storage.reset()
