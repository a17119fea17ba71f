"""Compose the graph. `serve deploy serve_config.yaml` calls `build` with the config's `args`.

Ingress ──▶ Executor ──▶ ASR
                    ├──▶ Diarizer
                    ├──▶ Assessor
                    └──▶ Probe (measures a cold start, once)
"""

from typing import Annotated, Any, cast

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray.serve import Application, Deployment

from deployments.executor import Executor, Placement
from deployments.ingress import Ingress
from deployments.models import ASR, Assessor, Diarizer
from deployments.probe import Probe
from deployments.profiles import ModelSpec, load_profile
from deployments.replica.lifecycle import Limits
from deployments.replica.prestart import PrestartSpec
from serve_app.model_pool.registry import RosterEntry
from serve_app.pipeline.types import ROLES, ModelRole


class ServeArgs(BaseModel):
    """`args` of serve_config.yaml."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(default="embedded", description="A file of config/models, or a path to one.")
    placement_deadline_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="Longest wait for a replica to take a call; then the attempt ends vram_unavailable."
    )
    room_deadline_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="Longest wait of a call for memory on its device; then the same."
    )
    unload_after_s: Annotated[float, Field(gt=0)] | None = Field(
        default=120.0, description="Idle time after which weights leave memory; the process stays. Null keeps them."
    )
    asr_replicas: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Replicas a long recording is split over: the ASR deployment's max_replicas."
    )
    gpus: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GPUs that Ray may grow to. Null: those it has at the time of the deploy."
    )
    memory_budget_mib: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="What models may take of each device together. Null: a GPU less the reserve; 80 % of the RAM.",
    )
    memory_reserve_mib: Annotated[int, Field(ge=0)] = Field(
        default=512, description="Left free on a GPU for allocator slack and others."
    )
    spare_processes: bool = Field(
        default=True,
        description="Whether a model without a replica has a process in waiting: libraries imported, no weights.",
    )

    def limits(self) -> Limits:
        """What each model replica is held to."""
        return Limits(self.memory_budget_mib, self.memory_reserve_mib, self.room_deadline_s, self.unload_after_s)


def build(args: ServeArgs) -> Application:
    """The application graph for a profile. Raises `ValueError` when the profile is not one, or wants too many GPUs."""
    models, roster = pool(args)
    if args.gpus is not None or ray.is_initialized():
        there = ray.cluster_resources()  # type: ignore[no-untyped-call] # a gap of Ray's
        check_shares(args, args.gpus or there.get("GPU", 0))
    probe = _deployment(Probe, NO_GPU).bind()
    placement = Placement(args.placement_deadline_s, args.asr_replicas)
    executor = _deployment(Executor, NO_GPU).bind(models, probe, roster, placement, spares(args))
    return _deployment(Ingress, NO_GPU).bind(executor, roster)


def pool(args: ServeArgs) -> tuple[list[Application], list[RosterEntry]]:
    """The three models of a profile, in the order of `ROLES`, and what they are called."""
    specs = _specs(args)
    models = [
        _deployment(cls, _resources(specs[role], args)).bind(specs[role], args.limits())
        for role, cls in zip(ROLES, (ASR, Diarizer, Assessor), strict=True)
    ]
    return models, [RosterEntry(role, spec.name, spec.footprint_mib) for role, spec in specs.items()]


def check_shares(args: ServeArgs, gpus: float) -> None:
    """Raises `ValueError` for shares that never fit together: Ray would wait for ever, and jobs fail in its stead."""
    specs = _specs(args)
    booked = sum(spec.num_gpus for spec in specs.values()) + (args.asr_replicas - 1) * specs["asr"].num_gpus
    if round(booked, 4) > gpus:  # as finely as Ray counts
        raise ValueError(
            f"profile {args.profile} with asr_replicas {args.asr_replicas} books {booked:g} GPUs, Ray has {gpus:g}: "
            "lower asr_replicas or the profile's num_gpus; without a GPU start Ray with --num-gpus=1, which is then "
            "merely counted; set gpus if Ray adds nodes by itself"
        )


# Ray leaves CUDA_VISIBLE_DEVICES unset for num_gpus 0, so the edge would see every GPU.
NO_GPU = {"num_cpus": 0, "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}}


def spares(args: ServeArgs) -> list[PrestartSpec]:
    """The kinds of processes to have in waiting."""
    return [_spare(spec) for spec in _specs(args).values()] if args.spare_processes else []


def _specs(args: ServeArgs) -> dict[ModelRole, ModelSpec]:
    profile = load_profile(args.profile)
    return {role: getattr(profile, role) for role in ROLES}


def _spare(spec: ModelSpec) -> PrestartSpec:
    return PrestartSpec(spec.backend, spec.num_gpus)


def _resources(spec: ModelSpec, args: ServeArgs) -> dict[str, Any]:
    environment = {"runtime_env": {"env_vars": _spare(spec).variables}} if args.spare_processes else {}
    return {"num_cpus": 0, "num_gpus": spec.num_gpus, **environment}


def _deployment(cls: object, resources: dict[str, Any]) -> Deployment:
    # `@serve.deployment` turns a class into a Deployment, which its type hints do not say.
    return cast("Deployment", cls).options(ray_actor_options=resources)
