"""Composes the graph. `serve deploy serve_config.yaml` calls `build` with the `args` of the config.

Ingress ──▶ Executor ──▶ ASR
                    ├──▶ Diarizer
                    └──▶ Assessor
"""

from typing import Annotated, Any, cast

import ray
from pydantic import BaseModel, ConfigDict, Field
from ray.serve import Application, Deployment

from deployments.executor import Executor, Placement
from deployments.ingress import Ingress
from deployments.models import ASR, Assessor, Diarizer
from deployments.profiles import ModelSpec, load_profile
from deployments.replica.lifecycle import Limits
from deployments.replica.prestart import PrestartSpec
from serve_app.model_pool.status import RosterEntry
from serve_app.pipeline.types import ROLES, ModelRole


class ServeArgs(BaseModel):
    """`args` of serve_config.yaml."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(default="embedded", description="Name of a file in config/models, or a path.")
    placement_deadline_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0,
        description="Longest wait for a replica to accept a call; then the attempt ends with vram_unavailable.",
    )
    room_deadline_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0,
        description="Longest wait of a call for memory on its device; then the attempt ends with vram_unavailable.",
    )
    unload_after_s: Annotated[float, Field(gt=0)] | None = Field(
        default=120.0, description="Idle time after which weights are unloaded; the process stays. Null keeps them."
    )
    asr_replicas: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Replicas a long recording is split over: the ASR deployment's max_replicas."
    )
    gpus: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GPUs that Ray can grow to. Null: the GPUs at the time of the deploy."
    )
    memory_budget_mib: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="What all models together may hold of a device. Null: a GPU less the reserve; 80 % of the RAM.",
    )
    memory_reserve_mib: Annotated[int, Field(ge=0)] = Field(
        default=512, description="Left free on a GPU for allocator slack and others."
    )
    prestart_workers: bool = Field(
        default=True,
        description="Whether models without replicas have a prestarted worker: libraries imported, no weights. A "
        "profile can switch it off for a model.",
    )

    def limits(self) -> Limits:
        """The limits of each model replica."""
        return Limits(self.memory_budget_mib, self.memory_reserve_mib, self.room_deadline_s, self.unload_after_s)


def build(args: ServeArgs) -> Application:
    """The application graph for a profile. Raises `ValueError` for an invalid profile or too few GPUs."""
    models, roster = pool(args)
    if args.gpus is not None or ray.is_initialized():
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call] # a gap of Ray's
        check_shares(args, args.gpus or resources.get("GPU", 0))
    placement = Placement(args.placement_deadline_s, args.asr_replicas)
    executor = _deployment(Executor, NO_GPU).bind(models, roster, placement, prestart_specs(args))
    return _deployment(Ingress, NO_GPU).bind(executor, roster)


def pool(args: ServeArgs) -> tuple[list[Application], list[RosterEntry]]:
    """The three model deployments of a profile, in the order of `ROLES`, and their roster."""
    specs = _specs(args)
    models = [
        _deployment(cls, _resources(specs[role], args)).bind(specs[role], args.limits())
        for role, cls in zip(ROLES, (ASR, Diarizer, Assessor), strict=True)
    ]
    return models, [RosterEntry(role, spec.name, spec.footprint_mib, spec.languages) for role, spec in specs.items()]


def check_shares(args: ServeArgs, gpus: float) -> None:
    """Raise `ValueError` if the profile books more GPUs than there are: Ray would wait for ever without an error."""
    specs = _specs(args)
    booked = sum(spec.num_gpus for spec in specs.values()) + (args.asr_replicas - 1) * specs["asr"].num_gpus
    if round(booked, 4) > gpus:  # Ray's resolution
        raise ValueError(
            f"profile {args.profile} with asr_replicas {args.asr_replicas} books {booked:g} GPUs, Ray has {gpus:g}: "
            "lower asr_replicas or the profile's num_gpus; without a GPU start Ray with --num-gpus=1, a count that "
            "needs no hardware; set gpus if Ray adds nodes by itself"
        )


# Ray leaves CUDA_VISIBLE_DEVICES unset for num_gpus 0, so the edge would see every GPU.
NO_GPU = {"num_cpus": 0, "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}}


def prestart_specs(args: ServeArgs) -> list[PrestartSpec]:
    """The kinds of workers to prestart."""
    return [_prestart_spec(spec) for spec in _specs(args).values() if _prestarts(spec, args)]


def _specs(args: ServeArgs) -> dict[ModelRole, ModelSpec]:
    profile = load_profile(args.profile)
    return {role: getattr(profile, role) for role in ROLES}


def _prestarts(spec: ModelSpec, args: ServeArgs) -> bool:
    return args.prestart_workers and spec.prestart


def _prestart_spec(spec: ModelSpec) -> PrestartSpec:
    return PrestartSpec(spec.backend, spec.num_gpus)


def _resources(spec: ModelSpec, args: ServeArgs) -> dict[str, Any]:
    environment = {"runtime_env": {"env_vars": _prestart_spec(spec).env_vars}} if _prestarts(spec, args) else {}
    return {"num_cpus": 0, "num_gpus": spec.num_gpus, **environment}


def _deployment(cls: object, resources: dict[str, Any]) -> Deployment:
    # `@serve.deployment` turns a class into a Deployment, which its type hints do not say.
    return cast("Deployment", cls).options(ray_actor_options=resources)
