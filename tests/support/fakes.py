"""Fakes for what a test does not want: models that take time, an executor that is called, an observer that listens."""

from collections.abc import Callable, Sequence
from typing import Any

from deployments.profiles import ModelSpec
from deployments.replica.local_pool import LocalPool
from deployments.replica.pool_client import DatabasePoolClient
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.ports import Loading
from serve_app.pipeline.types import ROLES, Competency, ModelRole
from serve_app.storage.database import Database

BACKENDS: dict[ModelRole, str] = {"asr": "fake_transcriber", "diarizer": "fake_diarizer", "assessor": "fake_assessor"}


def fake_spec(role: ModelRole, **options: Any) -> ModelSpec:
    """The spec of a fake model."""
    return ModelSpec(backend=BACKENDS[role], name=f"fake-{role}", options=options)


def local_pool(database: Database, **options: dict[str, Any]) -> LocalPool:
    """Cold fake models in this process. `options` are the backends' arguments by role: `asr={"load_s": 1}`."""
    return LocalPool({role: fake_spec(role, **options.get(role, {})) for role in ROLES}, DatabasePoolClient(database))


class RecordedNotifications:
    """A dispatcher that counts its calls."""

    def __init__(self) -> None:
        self.notifications = 0
        self.prefetches = 0

    async def notify(self) -> None:
        self.notifications += 1

    async def prefetch(self) -> None:
        self.prefetches += 1


class Silence:
    """An observer that ignores every report."""

    async def loading(self, event: Loading) -> None: ...

    async def inference(self, role: ModelRole) -> None: ...

    async def progress(self, role: ModelRole, share: float) -> None: ...


class OpenMatcher:
    """A question matcher that can tell nothing, so that the cues decide."""

    def match(self, competencies: Sequence[Competency], questions: Sequence[str]) -> list[list[bool | None]]:
        return [[None] * len(competencies) for _ in questions]


class FakeTagger:
    """An injection tagger that tags sentences by a function of the test."""

    def __init__(self, tag: Callable[[Sequence[Sequence[str]]], list[list[WordTags]]]) -> None:
        self.tag_words = tag
