"""serve_config.yaml: Serve silently ignores misspelt keys, so these tests find them."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from ray.serve._private import constants
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import DeploymentSchema, ServeApplicationSchema, ServeDeploySchema

from deployments.app import ServeArgs, check_shares
from deployments.executor import Executor
from deployments.ingress import Ingress
from deployments.models import ASR, Assessor, Diarizer
from deployments.profiles import load_profile
from deployments.replica import prestart
from scripts.launcher.stack import PRODUCTION, Options, production_environment, ray_environment, serve_config
from serve_app.pipeline.types import ROLES
from tests.support.world import ROOT

FILES = {name: yaml.safe_load((ROOT / name).read_text("utf-8")) for name in ("serve_config.yaml", PRODUCTION.name)}
every_file = pytest.mark.parametrize("config", FILES.values(), ids=FILES)


def unknown_keys(given: Any, schema: type[BaseModel], path: str = "") -> list[str]:
    """Keys of `given` that `schema` does not have, nested schemas included."""
    found = []
    for key, value in given.items():
        field = schema.model_fields.get(key)
        if field is None:
            found.append(f"{path}{key}")
            continue
        nested = [
            t
            for t in (field.annotation, *get_args(field.annotation))
            if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        if isinstance(value, dict) and nested:
            found += unknown_keys(value, nested[0], f"{path}{key}.")
    return found


@every_file
def test_every_key_is_one_that_serve_knows(config: dict[str, Any]) -> None:
    """A misspelt key would otherwise be ignored in silence."""
    found = unknown_keys(config, ServeDeploySchema)
    for application in config["applications"]:
        found += unknown_keys(application, ServeApplicationSchema, "applications.")
        for deployment in application["deployments"]:
            found += unknown_keys(deployment, DeploymentSchema, f"{deployment['name']}.")
            found += unknown_keys(deployment.get("autoscaling_config", {}), AutoscalingConfig, f"{deployment['name']}.")
    assert found == []


def test_a_misspelt_key_is_found() -> None:
    """The check above can fail."""
    assert unknown_keys({"proxy_loaction": 1, "http_options": {"prot": 1}}, ServeDeploySchema) == [
        "proxy_loaction", "http_options.prot",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "profile"), [("serve_config.yaml", "embedded"), (PRODUCTION.name, "gpu-24g")])
def test_the_arguments_are_the_builders(name: str, profile: str) -> None:
    """`args` is validated before anything starts."""
    assert ServeArgs.model_validate(FILES[name]["applications"][0]["args"]).profile == profile


@every_file
def test_recordings_are_split_over_all_asr_replicas(config: dict[str, Any]) -> None:
    """`asr_replicas` equals the ASR deployment's max_replicas, and every part gets its own replica."""
    application = config["applications"][0]
    asr = next(one for one in application["deployments"] if one["name"] == "ASR")
    scaling = asr["autoscaling_config"]
    assert (application["args"]["asr_replicas"], 1) == (scaling["max_replicas"], scaling["target_ongoing_requests"])


@pytest.mark.parametrize("profile", ["embedded", "embedded-small", "gpu-24g", "gpu-80g", "fake"])
def test_what_can_never_be_placed_is_refused_before_it_starts(profile: str) -> None:
    """A profile fits one GPU; each further ASR replica books its share, and the refusal says what to do."""
    check_shares(ServeArgs(profile=profile), gpus=1)
    many = ServeArgs(profile=profile, asr_replicas=5)
    with pytest.raises(ValueError, match=r"GPUs, Ray has 1: lower asr_replicas"):
        check_shares(many, gpus=1)
    check_shares(many, gpus=2)
    with pytest.raises(ValueError, match="without a GPU start Ray with --num-gpus=1"):
        check_shares(ServeArgs(profile=profile), gpus=0)


@every_file
def test_every_deployment_of_the_graph_is_configured(config: dict[str, Any]) -> None:
    """By the names that `serve status` shows; one that is left out would run with Serve's defaults."""
    configured = [deployment["name"] for deployment in config["applications"][0]["deployments"]]
    classes = (Ingress, Executor, ASR, Diarizer, Assessor)
    assert configured == [cls.name for cls in classes]  # type: ignore[attr-defined]


@every_file
def test_idle_settings_are_those_that_were_measured(config: dict[str, Any]) -> None:
    """Reports every half second over one second: with more, a cold start costs Serve 9 to 14 s beyond the load."""
    scaled = [given["autoscaling_config"] for given in config["applications"][0]["deployments"][2:]]
    assert {(given["metrics_interval_s"], given["look_back_period_s"]) for given in scaled} == {(0.5, 1.0)}


@every_file
def test_dead_replicas_are_noticed_within_seconds(config: dict[str, Any]) -> None:
    """Serve's default of ten seconds between two checks is the longest wait of a recovery."""
    assert {given["health_check_period_s"] for given in config["applications"][0]["deployments"]} == {2}
    for environment in (production_environment(), ray_environment({})):
        assert environment["RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S"] == "1"


@every_file
def test_models_scale_to_zero_and_the_edge_does_not(config: dict[str, Any]) -> None:
    """Only models scale to zero, and the ingress accepts many open streams."""
    by_name = {deployment["name"]: deployment for deployment in config["applications"][0]["deployments"]}
    assert {by_name[name]["autoscaling_config"]["min_replicas"] for name in ("ASR", "Diarizer", "Assessor")} == {0}
    assert by_name["Ingress"]["num_replicas"] >= 1
    assert by_name["Ingress"]["max_ongoing_requests"] >= 1000
    assert config["http_options"]["request_timeout_s"] is None


def test_the_launcher_changes_only_port_and_profile() -> None:
    """`make run` deploys the committed file."""
    ours = serve_config(Options(api_port=1234, profile="fake"))
    assert ours["http_options"].pop("port") == 1234
    assert ours["applications"][0]["args"].pop("profile") == "fake"
    expected = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    del expected["http_options"]["port"], expected["applications"][0]["args"]["profile"]
    assert ours == expected


def test_the_production_environment_switches_haproxy_on() -> None:
    """Every variable of the file is one that is read; a misspelt one would be ignored in silence."""
    environment = production_environment()
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    known = Path(constants.__file__).read_text("utf-8")
    assert [name for name in environment if f'"{name}"' not in known] == ["RAY_preload_python_modules"]
    assert environment["RAY_preload_python_modules"] == prestart.__name__


@pytest.mark.parametrize("name", ["embedded", "embedded-small", "gpu-24g", "gpu-80g", "fake"])
def test_every_profile_fits_one_gpu(name: str) -> None:
    """The fractions of a profile add up to one GPU at most, and every model books some."""
    profile = load_profile(name)
    shares = [getattr(profile, role).num_gpus for role in ROLES]
    assert sum(shares) <= 1.0
    assert all(share > 0 for share in shares)
