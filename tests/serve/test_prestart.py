"""Prestarted workers on a real Ray: a model scaled to zero comes back in a worker that was started before."""

import copy
import time

from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

from scripts.launcher.stack import Stack, serve_config
from tests.serve.pool_calls import Pool, prestarted, processes, wait_for

DATABASE = "pool_racing"


def test_a_model_scaled_to_zero_comes_back_in_its_prestarted_worker(racing: Pool) -> None:
    """One worker is prestarted, not two, and Ray places the replica of the next call in it."""
    scaled_to_zero(racing, "asr", "ASR")
    wait_for(lambda: len(prestarted(DATABASE, "fake_transcriber")) == 1, "no worker was prestarted")
    worker = prestarted(DATABASE, "fake_transcriber")
    assert racing.call("asr")[-1] == "result"
    assert processes("racing", "ASR") == worker
    scaled_to_zero(racing, "asr", "ASR")
    wait_for(lambda: len(prestarted(DATABASE, "fake_transcriber")) == 1, "the successor was not prestarted")


def test_a_deleted_application_leaves_no_worker_behind(stack: Stack, racing: Pool) -> None:
    """A replica does not prestart its successor when the whole application is deleted."""
    client, config = ServeSubmissionClient(stack.ray_dashboard_url), serve_config(stack.options)
    rest = copy.deepcopy(config)
    rest["applications"] = [one for one in config["applications"] if one["name"] != "racing"]
    scaled_to_zero(racing, "diarizer", "Diarizer")
    wait_for(lambda: bool(prestarted(DATABASE, "fake_diarizer")), "no worker was prestarted")
    assert racing.call("diarizer")[-1] == "result"
    client.deploy_applications(rest)
    try:
        wait_for(lambda: not processes("racing", "Diarizer"), "the application did not go")
        time.sleep(3.0)  # longer than a process takes to start
        assert not prestarted(DATABASE, "fake_diarizer")
    finally:
        client.deploy_applications(config)
    Pool(stack.base_url, "racing")


def scaled_to_zero(pool: Pool, role: str, deployment: str) -> None:
    """Use a model and wait until its process is gone."""
    assert pool.call(role)[-1] == "result"
    wait_for(lambda: not processes(pool.name, deployment), "the process is kept")
