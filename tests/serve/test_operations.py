"""What operators do to a running pool, and what they read of it."""

from typing import Any

import httpx
import pytest
from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

from scripts.launcher.stack import Stack
from serve_app.model_pool.health import COLD_START_LIMIT_S
from tests.serve.pool_calls import wait_for

FRACTIONS = {"ASR": 0.25, "Diarizer": 0.25, "Assessor": 0.5}


def test_the_start_measures_what_a_cold_start_costs(client: httpx.Client) -> None:
    """With the shipped autoscaling settings at most six seconds; with the defaults of Serve it would be nine."""

    def measured() -> Any:
        return client.get("/v1/models/status").json()["cold_start_s"]

    wait_for(lambda: measured() is not None, "the self-test did not report", within_s=120)
    assert 0.2 < measured() <= COLD_START_LIMIT_S


@pytest.mark.parametrize("name", FRACTIONS)
def test_names_counts_and_fractions_are_readable(stack: Stack, client: httpx.Client, name: str) -> None:
    """As `serve status` and the dashboard show them: the same names as in serve_config.yaml."""
    details = ServeSubmissionClient(stack.ray_dashboard_url).get_serve_details()
    found = details["applications"]["recruitscreen"]["deployments"][name]
    shown = found["deployment_config"]
    assert shown["ray_actor_options"]["num_gpus"] == FRACTIONS[name]
    assert (shown["autoscaling_config"]["min_replicas"], shown["autoscaling_config"]["max_replicas"]) == (0, 1)
    assert len(found["replicas"]) <= 1
