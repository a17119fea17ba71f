"""The model pool behind a bare front, for tests and measurements: one HTTP call is one model call, with all it reports.

Not part of the product. `scripts.benchmarks.pool_driver:build` takes the arguments of `deployments.app:build`. It
needs a database of its own (`DATABASE_URL` in its runtime environment), so that its memory is managed apart.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from ray import serve
from ray.serve import Application, Deployment

from deployments.app import ServeArgs, pool
from deployments.handles import Handle, HandlePool
from deployments.serve_status import StartRecorder, watch_forever
from serve_app.errors import JobFailure
from serve_app.model_pool.status import PoolStatus, PoolView, RosterEntry
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.transcribe_parts import transcribe
from serve_app.pipeline.types import (
    ROLES,
    SAMPLE_RATE,
    AssessmentRequest,
    DiarizationRequest,
    ModelRole,
    Recording,
    Rubric,
    TranscriptionRequest,
)
from serve_app.settings import Settings
from serve_app.storage.database import Database
from serve_app.verticals.catalog import Catalog


@dataclass
class _EventQueue:
    """An observer that queues every report, with the seconds since the call."""

    queue: asyncio.Queue[dict[str, Any] | None]
    began: float

    def say(self, event: str, **data: Any) -> None:
        """Queue one event."""
        self.queue.put_nowait({"event": event, "at": time.monotonic() - self.began, **data})

    async def loading(self, event: Loading) -> None:
        """Weights are being read."""
        self.say("loading", **asdict(event))

    async def inference(self, role: ModelRole) -> None:
        """The model has begun."""
        self.say("inference", role=role)

    async def progress(self, role: ModelRole, share: float) -> None:
        """Ignored: no measurement uses it."""


class Calls:
    """Model calls whose reports can be streamed."""

    def __init__(self, models: HandlePool, rubric: Rubric) -> None:
        self._models = models
        self._question = AssessmentRequest("Engineer", (), None, rubric)
        self._running: set[asyncio.Task[None]] = set()

    async def follow(self, role: ModelRole, *, warm: bool, seconds: float) -> AsyncIterator[str]:
        """One call's events as lines of JSON; the last is `result` or `failed`."""
        events = _EventQueue(asyncio.Queue(), time.monotonic())
        task = asyncio.create_task(self._call(role, events, warm=warm, seconds=seconds))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        while (event := await events.queue.get()) is not None:
            yield json.dumps(event) + "\n"

    async def _call(self, role: ModelRole, events: _EventQueue, *, warm: bool, seconds: float) -> None:
        try:
            await (self._models.warm(role, events) if warm else self._work(role, events, seconds))
            events.say("result")
        except JobFailure as failure:
            events.say("failed", code=failure.code, message=failure.message)
        finally:
            events.queue.put_nowait(None)

    async def _work(self, role: ModelRole, events: _EventQueue, seconds: float) -> None:
        audio = self._models.share(silence(seconds))
        if role == "asr":
            await transcribe(TranscriptionRequest(audio, "en"), seconds, self._models, events)
        elif role == "diarizer":
            await self._models.run(DiarizationRequest(audio), events)
        else:
            await self._models.run(self._question, events)


@serve.deployment(name="Driver", max_ongoing_requests=1000)
@serve.ingress()
class Driver:
    """Serves `GET /calls` and `GET /status`."""

    def __init__(
        self, handles: list[Handle], roster: list[RosterEntry], placement_deadline_s: float, asr_replicas: int
    ) -> None:
        settings = Settings()  # pydantic-settings fills the fields
        database = Database(settings.database_url)
        rubric = Catalog.read(settings.config_dir / "verticals").get("recruitscreen").assessment.rubric()
        self._view = PoolView(database, roster)
        models = HandlePool(
            dict(zip(ROLES, handles, strict=True)), placement_deadline_s, asr_replicas, StartRecorder(database, roster)
        )
        self._calls = Calls(models, rubric)
        self._watch = asyncio.create_task(watch_forever(database))

    async def __serve_build_asgi_app__(self) -> FastAPI:
        app = FastAPI()

        @app.get("/calls")
        async def calls(role: ModelRole, *, warm: bool = False, seconds: float = 1.0) -> StreamingResponse:
            return StreamingResponse(self._calls.follow(role, warm=warm, seconds=seconds), media_type="text/plain")

        @app.get("/status")
        async def status() -> PoolStatus:
            return await self._view.status()

        return app


def build(args: ServeArgs) -> Application:
    """The pool of a profile behind the driver."""
    models, roster = pool(args)
    front: Deployment = Driver  # type: ignore[assignment] # the decorator's type hints say it is still the class
    front = front.options(ray_actor_options={"num_cpus": 0})
    return front.bind(models, roster, args.placement_deadline_s, args.asr_replicas)


def silence(seconds: float) -> Recording:
    """A silent recording."""
    samples = np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)
    return Recording(samples)
