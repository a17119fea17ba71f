"""One real Ray for the package: the graph of serve_config.yaml over fake models, and four bare pools beside it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from scripts.launcher.embedded import free_port
from scripts.launcher.first_account import first_key
from scripts.launcher.stack import Options, Stack
from serve_app.settings import ROOT
from tests.conftest import named
from tests.serve.pool_calls import Pool

SIZE_MIB = 200
"""MiB that a fake holds in the application `pressed`."""
BUDGET_MIB = 560
"""Room for two of them, with what unloaded processes keep (10 to 30 MiB each)."""
SECOND_PRODUCT = "techscreen"
SECOND_MAX_BYTES = 2_000_000
MANY = httpx.Limits(max_connections=300)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the stack's files."""
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="package")
def stack(folder: Path, postgres_url: str) -> Iterator[Stack]:
    """The stack with the profile `fake`; models return to zero after two idle seconds."""
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    for deployment in config["applications"][0]["deployments"]:
        scaling = deployment.get("autoscaling_config")
        if scaling:
            deployment["autoscaling_config"] = scaling | {"downscale_to_zero_delay_s": 2}
    config["applications"] += [
        bare_pool("pressed", pressed_profile(folder), postgres_url, to_zero_s=300, memory_budget_mib=BUDGET_MIB),
        bare_pool("racing", quick_profile(folder), postgres_url, to_zero_s=0.2),
        bare_pool("parted", parted_profile(folder), postgres_url, to_zero_s=300, asr_replicas=2),
        bare_pool("unplaceable", unplaceable_profile(folder), postgres_url, to_zero_s=300, placement_deadline_s=4),
    ]
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(config))
    environment = {
        "CONFIG_DIR": str(two_products(folder)),
        "RATE_LIMIT": "100000/minute",
        "WEBHOOK_ALLOW_LOOPBACK": "true",
    }
    with Stack(Options(folder, free_port(), free_port(), path, "fake", environment), say=lambda _: None) as stack:
        yield stack


def bare_pool(name: str, profile: Path, postgres_url: str, to_zero_s: float, **args: Any) -> dict[str, Any]:
    """An application of `scripts.benchmarks.pool_driver` with a database of its own."""
    database = database_for(f"pool_{name}", postgres_url)
    scaling = {
        "min_replicas": 0, "max_replicas": 1, "target_ongoing_requests": 1, "metrics_interval_s": 0.2,
        "look_back_period_s": 1.0, "upscale_delay_s": 0, "downscale_delay_s": 60,
        "downscale_to_zero_delay_s": to_zero_s,
    }  # fmt: skip
    common = {"max_ongoing_requests": 32, "health_check_period_s": 2}
    most = {"ASR": args.get("asr_replicas", 1)}
    return {
        "name": name,
        "route_prefix": f"/{name}",
        "import_path": "scripts.benchmarks.pool_driver:build",
        "runtime_env": {"env_vars": {"DATABASE_URL": database}},
        "args": {"profile": str(profile), "room_deadline_s": 1.5, **args},
        "deployments": [
            {"name": role, **common, "autoscaling_config": scaling | {"max_replicas": most.get(role, 1)}}
            for role in ("ASR", "Diarizer", "Assessor")
        ],
    }


def database_for(name: str, postgres_url: str) -> str:
    """A fresh database of this name, for as long as the server lives."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")  # type: ignore[call-overload] # our names
    return named(postgres_url, name)


def fakes(path: Path, num_gpus: float = 0, **options: dict[str, Any]) -> Path:
    """A profile of fakes with the given options by role."""
    kinds = {"asr": "fake_transcriber", "diarizer": "fake_diarizer", "assessor": "fake_assessor"}
    profile = {
        role: {
            "backend": kind, "name": f"fake-{role}", "num_gpus": num_gpus,
            "footprint_mib": options[role].get("hold_mib", 1), "options": options[role],
        }
        for role, kind in kinds.items()
    }  # fmt: skip
    path.write_text(yaml.safe_dump(profile))
    return path


def pressed_profile(folder: Path) -> Path:
    """Three models of the same size; two of them work for three seconds. Files in the folder make loads fail."""
    common = {"hold_mib": SIZE_MIB, "load_s": 0.5}
    slow, quick = {**common, "work_s": 3.0}, {**common, "work_s": 0.1}
    options = {"asr": slow, "diarizer": slow, "assessor": quick}
    return fakes(
        folder / "pressed.yaml",
        **{role: {**given, "fail": str(folder / f"fail-{role}")} for role, given in options.items()},
    )


def quick_profile(folder: Path) -> Path:
    """Three models that take no time."""
    return fakes(folder / "racing.yaml", asr={}, diarizer={}, assessor={})


def parted_profile(folder: Path) -> Path:
    """A transcriber that needs two seconds for a part of ten minutes."""
    return fakes(folder / "parted.yaml", asr={"pace": 2 / 600}, diarizer={}, assessor={})


def unplaceable_profile(folder: Path) -> Path:
    """Models that want more GPUs than there are."""
    return fakes(folder / "unplaceable.yaml", num_gpus=64, asr={}, diarizer={}, assessor={})


def two_products(folder: Path) -> Path:
    """The config folder with a second product in it, which takes small recordings only."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    first = (config / "verticals" / "recruitscreen.yaml").read_text("utf-8")
    second = first.replace("slug: recruitscreen", f"slug: {SECOND_PRODUCT}", 1)
    second = second.replace("max_bytes: 100000000", f"max_bytes: {SECOND_MAX_BYTES}", 1)
    (config / "verticals" / f"{SECOND_PRODUCT}.yaml").write_text(second)
    return config


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A customer's client of the running API."""
    key = first_key(stack.environment["DATABASE_URL"], Path("/nonexistent"))
    with httpx.Client(
        base_url=stack.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60, limits=MANY
    ) as client:
        yield client


@pytest.fixture
def pressed(stack: Stack) -> Pool:
    """Three models, room for two."""
    return Pool(stack.base_url, "pressed")


@pytest.fixture
def racing(stack: Stack) -> Pool:
    """Models whose processes end as soon as they are idle."""
    return Pool(stack.base_url, "racing")


@pytest.fixture
def parted(stack: Stack) -> Pool:
    """Two replicas of the transcriber at most, and recordings that are split over them."""
    return Pool(stack.base_url, "parted")


@pytest.fixture
def unplaceable(stack: Stack) -> Pool:
    """Models that Ray can never place."""
    return Pool(stack.base_url, "unplaceable")
