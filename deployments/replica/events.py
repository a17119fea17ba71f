"""Events of one call to a model replica: `CallAccepted → Loading* → Inference → Progressed* → Result | Failed`.

Job states rest on this stream alone. Errors travel as values: an exception that leaves a replica arrives under another
type name, or not at all.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from serve_app import errors
from serve_app.errors import InferenceFailed, JobFailure
from serve_app.pipeline.ports import Loading, Observer
from serve_app.pipeline.types import ModelRole


@dataclass(frozen=True, slots=True)
class CallAccepted:
    """The call has reached a process."""

    replica_age_s: float
    """Seconds since the process constructed its replica. Less than the caller's wait: it waited for the start."""


@dataclass(frozen=True, slots=True)
class Inference:
    """The weights are in memory and the work has begun."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """The finished share of the work, 0 to 1."""

    share: float


@dataclass(frozen=True, slots=True)
class Result:
    """The work is done."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The work ended with a `JobFailure`."""

    error: str
    """Class name in `serve_app.errors`."""
    message: str

    @classmethod
    def of(cls, failure: JobFailure) -> "Failed":
        """The failure in a form that crosses the replica boundary unchanged."""
        known = next(base for base in type(failure).__mro__ if base.__module__ == errors.__name__)
        return cls(known.__name__, failure.message)

    def exception(self) -> JobFailure:
        """The failure as an exception again."""
        kind = getattr(errors, self.error, InferenceFailed)
        return kind(self.message) if issubclass(kind, JobFailure) else InferenceFailed()


ModelEvent: TypeAlias = CallAccepted | Loading | Inference | Progressed | Result | Failed


async def report(observer: Observer, role: ModelRole, event: ModelEvent) -> None:
    """Report an event to a job's observer. Raises the `JobFailure` that a `Failed` carries."""
    match event:
        case Loading():
            await observer.loading(event)
        case Inference():
            await observer.inference(role)
        case Progressed(share):
            await observer.progress(role, share)
        case Failed():
            raise event.exception()
