"""Processes in waiting, on a real Ray: who was scaled to zero comes back in a process that was started before."""

import copy
import time

from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

from scripts.launcher.stack import Stack, serve_config
from tests.serve.pool_calls import Pool, processes, spares, wait_for

DATABASE = "pool_racing"


def test_a_model_scaled_to_zero_comes_back_in_the_process_that_waits_for_it(racing: Pool) -> None:
    """One process waits, not two, and the replica that Serve starts at the next call is put into it."""
    scaled_to_zero(racing, "asr", "ASR")
    wait_for(lambda: len(spares(DATABASE, "fake_transcriber")) == 1, "no process waits for the model")
    waiting = spares(DATABASE, "fake_transcriber")
    assert racing.call("asr")[-1] == "result"
    assert processes("racing", "ASR") == waiting
    scaled_to_zero(racing, "asr", "ASR")
    wait_for(lambda: len(spares(DATABASE, "fake_transcriber")) == 1, "its successor has none")


def test_an_application_that_is_deleted_leaves_nobody_behind(stack: Stack, racing: Pool) -> None:
    """What waited was put to work; it is not replaced when the whole application goes."""
    client, config = ServeSubmissionClient(stack.ray_dashboard_url), serve_config(stack.options)
    rest = copy.deepcopy(config)
    rest["applications"] = [one for one in config["applications"] if one["name"] != "racing"]
    scaled_to_zero(racing, "diarizer", "Diarizer")
    wait_for(lambda: bool(spares(DATABASE, "fake_diarizer")), "no process waits for the model")
    assert racing.call("diarizer")[-1] == "result"
    client.deploy_applications(rest)
    try:
        wait_for(lambda: not processes("racing", "Diarizer"), "the application did not go")
        time.sleep(3.0)  # longer than a process takes to start
        assert not spares(DATABASE, "fake_diarizer")
    finally:
        client.deploy_applications(config)
    Pool(stack.base_url, "racing")


def scaled_to_zero(pool: Pool, role: str, deployment: str) -> None:
    """Use a model and wait until its process is gone."""
    assert pool.call(role)[-1] == "result"
    wait_for(lambda: not processes(pool.name, deployment), "the process is kept")
