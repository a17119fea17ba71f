"""What operators do to a running pool, and what they read of it."""

import copy
from typing import Any

import httpx
import pytest
from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

from scripts.launcher.stack import Stack, serve_config
from serve_app.model_pool.health import COLD_START_LIMIT_S
from tests.serve.pool_calls import Pool, processes, wait_for

FRACTIONS = {"ASR": 0.25, "Diarizer": 0.25, "Assessor": 0.5}


def test_another_model_is_put_in_place_without_losing_a_job(stack: Stack, pressed: Pool) -> None:
    """A changed user_config: the call at work ends with its result, the process stays, the next call loads the new."""
    at_work = pressed.start_when("asr", "inference")
    process = processes("pressed", "ASR")
    client = ServeSubmissionClient(stack.ray_dashboard_url)
    config = serve_config(stack.options)
    changed = copy.deepcopy(config)
    model = {"backend": "fake_transcriber", "name": "another-asr", "options": {"load_s": 0.3}}
    deployment(changed, "pressed", "ASR")["user_config"] = {"model": model}
    client.deploy_applications(changed)
    try:
        assert at_work.result()[-1] == "result"
        wait_for(lambda: pressed.model("asr")["name"] == "another-asr", "the model did not change")
        assert pressed.call("asr") == ["loading", "inference", "result"]
        wait_for(lambda: pressed.model("asr")["state"] == "warm", "the status did not show the new model warm")
        assert processes("pressed", "ASR") == process
    finally:
        deployment(changed, "pressed", "ASR")["user_config"] = {"profile": config["applications"][1]["args"]["profile"]}
        client.deploy_applications(changed)
    wait_for(lambda: pressed.model("asr")["name"] == "fake-asr", "the model did not change back")


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


def deployment(config: dict[str, Any], application: str, name: str) -> dict[str, Any]:
    """One deployment of a Serve config."""
    given = next(given for given in config["applications"] if given["name"] == application)
    return next(one for one in given["deployments"] if one["name"] == name)  # type: ignore[no-any-return]
