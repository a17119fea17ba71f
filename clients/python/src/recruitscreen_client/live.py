"""Live view of a job: a progress bar on a terminal, a few lines in a log."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from recruitscreen_client.client import RecruitScreen
from recruitscreen_client.events import Event, Loading, ProgressEvent, StatusEvent
from recruitscreen_client.plain import plain, words

STYLES = {"completed": "bold green", "failed": "bold red", "canceled": "bold yellow"}
LOG_EVERY_S = 5
"""Seconds between two lines of a log; events come more often."""
MIB = 1 << 20


def follow(client: RecruitScreen, job_id: str, console: Console) -> dict[str, Any]:
    """Show a job's events until it is over. Returns the job. Raises as `RecruitScreen.events`."""
    view = BarView(console) if console.is_terminal else LogView(console)
    with view.shown():
        for event in client.events(job_id):
            view.show(event)
    return client.job(job_id)


class LogView:
    """Prints a line per state, and every few seconds what is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = 0.0
        self._logged = 0.0

    def shown(self) -> AbstractContextManager[Any]:
        """Context in which the view is visible."""
        return nullcontext()

    def show(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, StatusEvent):
            self.line(event, words(event.status), STYLES.get(event.status, "bold"))
        else:
            self.update(event)

    def update(self, event: Event) -> None:
        """Show progress within a state."""
        if event.at and event.at.timestamp() - self._logged >= LOG_EVERY_S:
            percent = percent_of(event)
            done = "" if percent is None else f", {percent:.0f} %"
            self.line(event, f"  {activity(event)}{done}", "dim")

    def line(self, event: Event, text: str, style: str) -> None:
        """Print a line with the seconds since the job was accepted."""
        at = event.at.timestamp() if event.at else self._began
        self._began, self._logged = self._began or at, at
        line = Text(f"  {at - self._began:6.1f} s  ") + plain(text, style)
        if isinstance(event, StatusEvent) and event.detail:
            line += plain(f"  {event.detail}", "dim")
        self.console.print(line)


class BarView(LogView):
    """Prints one line per state, above a progress bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("waiting for the server", total=None)

    def shown(self) -> AbstractContextManager[Any]:
        return self._progress

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, StatusEvent):
            self.update(event)

    def update(self, event: Event) -> None:
        percent = percent_of(event)
        if percent is None and isinstance(event, ProgressEvent) and not event.queue_position:
            return  # the event has no percentage: keep the bar
        total = None if percent is None else 100  # None keeps the total; without one the bar pulses
        self._progress.update(self._task, description=plain(activity(event)).plain, total=total, completed=percent or 0)


def activity(event: Event) -> str:
    """The current activity in a few words."""
    if event.loading:
        return _loading(event.loading)
    if event.queue_position:
        return f"{words(event.status)}, place {event.queue_position}"
    if isinstance(event, ProgressEvent) and event.stage:
        return event.detail or "" if "download" in event.data else words(event.stage)
    return words(event.status)


def percent_of(event: Event) -> float | None:
    """Progress of the current activity; None if unknown."""
    if event.loading:
        total = event.loading.bytes_total
        return 100 * event.loading.bytes_loaded / total if total else None
    if download := event.data.get("download"):
        return 100 * download["bytes"] / download["bytes_total"] if download.get("bytes_total") else None
    return event.percent if isinstance(event, ProgressEvent) else None


def _loading(loading: Loading) -> str:
    text = f"loading {', '.join(loading.roles)}"
    if loading.bytes_total:
        text += f" · {loading.bytes_loaded // MIB} of {loading.bytes_total // MIB} MiB"
    return text + (f" · about {loading.expected_s:.0f} s" if loading.expected_s else "")
