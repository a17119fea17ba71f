"""The command `recruitscreen`. Results go to standard output; progress, hints and errors to standard error.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import httpx
import typer
import yaml
from rich.console import Console
from typer.core import TyperGroup

from recruitscreen_client import live, scorecard, tables
from recruitscreen_client.client import DEFAULT_BASE_URL, RecruitScreen, TranscriptFormat
from recruitscreen_client.errors import RecruitScreenError
from recruitscreen_client.fixes import fix_for, fix_for_job
from recruitscreen_client.plain import plain

Connect = Callable[[str | None, str | None, str], RecruitScreen]
INTERRUPTED = 130
UNSEEN_WIDTH = 120
"""Columns where no terminal limits them, as in a pipe; Rich would take 80 and cut the tables."""


@dataclass(frozen=True, slots=True)
class Session:
    """What every command needs."""

    client: RecruitScreen
    out: Console
    err: Console

    def answer(self, data: Any, view: Callable[[Any], Any], *, as_json: bool) -> None:
        """Print `data` for programs, or its `view` for people."""
        if as_json:
            typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        else:
            self.out.print(view(data))


class Reporting(TyperGroup):
    """Turns the errors of all commands into a line that says what to do, and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RecruitScreenError as failure:
            self._report(ctx, failure.message, fix_for(failure, ctx.obj.client.base_url))
        except UnicodeDecodeError as failure:
            self._report(ctx, f"Not a text in UTF-8: {failure}", None)
        except OSError as failure:
            if isinstance(failure, BrokenPipeError):
                raise
            self._report(ctx, f"{failure.strerror or failure}: {failure.filename or ''}".rstrip(": "), None)
        raise typer.Exit(1)

    @staticmethod
    def _report(ctx: Any, message: str, fix: str | None) -> None:
        ctx.obj.err.print(plain("Error: ", "bold red") + plain(message))
        if fix:
            ctx.obj.err.print(plain(f"  {fix}"))


app = typer.Typer(
    cls=Reporting, no_args_is_help=True, help="Screen recorded interviews with RecruitScreen.", add_completion=False
)

JobId = Annotated[str, typer.Argument(metavar="JOB_ID")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own JSON.")]
Follow = Annotated[bool, typer.Option(help="Show progress until the job is over, then its scorecard.")]
WithTranscript = Annotated[bool, typer.Option(help="Print the transcript above the scorecard.")]
Recording = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)]


@app.callback()
def connect(
    ctx: typer.Context,
    api_key: Annotated[str | None, typer.Option(envvar="RECRUITSCREEN_API_KEY", help="lv_sk_…")] = None,
    base_url: Annotated[
        str | None, typer.Option(envvar="RECRUITSCREEN_BASE_URL", help=f"Default: {DEFAULT_BASE_URL}")
    ] = None,
    vertical: Annotated[str, typer.Option(help="Product that submit and quote speak to.")] = "recruitscreen",
) -> None:
    make: Connect = ctx.obj or RecruitScreen  # whoever embeds or tests the app may pass another `obj`
    try:
        client = make(api_key, base_url, vertical)
    except (ValueError, httpx.InvalidURL) as error:
        raise typer.BadParameter(str(error)) from None
    ctx.obj = Session(client, _console(stderr=False), _console(stderr=True))
    ctx.call_on_close(client.close)


@app.command()
def submit(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    file: Recording,
    *,
    role: Annotated[str, typer.Option(help="Title of the role the candidate interviews for.")],
    follow: Follow = True,
    export: Annotated[
        list[str] | None, typer.Option(metavar="FORMAT:PATH", help="Also write the transcript: json, txt, srt or vtt.")
    ] = None,
    job_description: Annotated[str | None, typer.Option(help="What the role asks for; @PATH reads a file.")] = None,
    language: Annotated[str | None, typer.Option(help="Spoken language, e.g. en; detected when left out.")] = None,
    speakers: Annotated[int | None, typer.Option(help="How many people speak, if you know.")] = None,
    rubric: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Your own rubric: a YAML or JSON file.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Comes back with the job; may be repeated.")
    ] = None,
    transcript: WithTranscript = False,
    as_json: AsJson = False,
) -> None:
    """Upload a recording and follow it to its scorecard."""
    session: Session = ctx.obj
    exports = [_export(text) for text in export or ()]
    if exports and not follow:
        raise typer.BadParameter("--export needs the finished job: leave out --no-follow.")
    options = {
        "job_description": _text(job_description),
        "language": language,
        "num_speakers": speakers,
        "rubric": _rubric(rubric),
        "metadata": dict(_pair(text) for text in metadata) if metadata else None,
    }
    submitted = _upload(session, file, role, options)
    if not follow:
        session.answer(submitted, lambda answer: plain(answer["job_id"]), as_json=as_json)
        session.err.print(plain(f"Follow it: recruitscreen follow {submitted['job_id']}"))
        return
    _to_the_end(session, submitted["job_id"], exports, transcript=transcript, as_json=as_json)


@app.command("follow")
def follow_job(
    ctx: typer.Context, job_id: JobId, *, transcript: WithTranscript = False, as_json: AsJson = False
) -> None:
    """Show a job's progress until it is over, then its scorecard."""
    _to_the_end(ctx.obj, job_id, [], transcript=transcript, as_json=as_json)


@app.command()
def show(ctx: typer.Context, job_id: JobId, *, transcript: WithTranscript = False, as_json: AsJson = False) -> None:
    """Show a job as it is now."""
    session: Session = ctx.obj
    _show(session, session.client.job(job_id), transcript=transcript, as_json=as_json)


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(help="Only jobs in this state, e.g. completed.")] = None,
    product: Annotated[str | None, typer.Option(help="Only jobs of this product.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    session: Session = ctx.obj
    rows = list(session.client.list(status, product, limit))
    session.answer(rows, tables.jobs, as_json=as_json)


@app.command()
def cancel(ctx: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Stop a job that is not over."""
    session: Session = ctx.obj
    session.answer(session.client.cancel(job_id), scorecard.headline, as_json=as_json)


@app.command()
def retry(ctx: typer.Context, job_id: JobId, *, follow: Follow = True, as_json: AsJson = False) -> None:
    """Run a failed job again, without charge."""
    session: Session = ctx.obj
    again = session.client.retry(job_id)
    if follow:
        _to_the_end(session, job_id, [], transcript=False, as_json=as_json)
    else:
        session.answer(again, lambda answer: plain(f"{job_id} is {answer['status']} again."), as_json=as_json)


@app.command()
def delete(
    ctx: typer.Context, job_id: JobId, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Erase a job's recording, transcript and assessment for good."""
    session: Session = ctx.obj
    if not yes:
        typer.confirm(f"Erase the content of {job_id} for good?", abort=True, err=True)
    session.client.delete(job_id)
    session.out.print(plain(f"{job_id} deleted."))


@app.command()
def transcript(
    ctx: typer.Context,
    job_id: JobId,
    *,
    format: Annotated[TranscriptFormat, typer.Option()] = "txt",  # noqa: A002 - the option's name
    out: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Print or save a finished job's transcript."""
    session: Session = ctx.obj
    text = session.client.transcript(job_id, format)
    if out:
        _save(session, out, text)
    else:
        typer.echo(text.rstrip("\n"))


@app.command()
def credits(  # noqa: A001 - the command's name
    ctx: typer.Context,
    *,
    ledger: Annotated[bool, typer.Option("--ledger", help="List the movements, newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many movements.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what can be spent."""
    session: Session = ctx.obj
    if ledger:
        rows = list(session.client.ledger(limit))
        session.answer(rows, tables.ledger, as_json=as_json)
        return
    session.answer(session.client.credits(), tables.credits, as_json=as_json)


@app.command()
def models(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show what the model pool is doing."""
    session: Session = ctx.obj
    session.answer(session.client.models(), tables.models, as_json=as_json)


@app.command()
def quote(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", exists=True, dir_okay=False)] = None,
    *,
    duration: Annotated[float | None, typer.Option(min=0, help="Seconds, instead of a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a recording would cost, without charging anything."""
    if (file is None) == (duration is None):
        raise typer.BadParameter("Give either a file or --duration.")
    session: Session = ctx.obj
    session.answer(session.client.quote(file, duration_s=duration), tables.quote, as_json=as_json)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, UNSEEN_WIDTH)
    return console


def _upload(session: Session, file: Path, role: str, options: dict[str, Any]) -> dict[str, Any]:
    size = f"{file.stat().st_size / 1e6:.1f} MB"
    try:
        with session.err.status(plain(f"Uploading {file.name} ({size})")):
            submitted = session.client.submit(file, role, **options)
    except KeyboardInterrupt:
        session.err.print("Interrupted before the server answered. `recruitscreen list` tells if it took the job.")
        raise typer.Exit(INTERRUPTED) from None
    charged, left = submitted["credits_charged"], submitted["credits_remaining"]
    session.err.print(plain(f"Submitted {file.name} as {submitted['job_id']}: {charged} credits, {left} remain."))
    return submitted


def _to_the_end(
    session: Session, job_id: str, exports: list[tuple[TranscriptFormat, Path]], *, transcript: bool, as_json: bool
) -> None:
    try:
        job = live.follow(session.client, job_id, session.err)
    except KeyboardInterrupt:
        session.err.print(plain("The job goes on. Follow it again: ") + plain(f"recruitscreen follow {job_id}", "bold"))
        raise typer.Exit(INTERRUPTED) from None
    _show(session, job, transcript=transcript, as_json=as_json)
    if job["status"] != "completed":
        raise typer.Exit(1)
    for format_, path in exports:
        _save(session, path, session.client.transcript(job_id, format_))


def _show(session: Session, job: dict[str, Any], *, transcript: bool, as_json: bool) -> None:
    session.answer(job, lambda job: scorecard.card(job, transcript=transcript), as_json=as_json)
    if fix := fix_for_job(job):
        session.err.print(plain(f"  {fix}"))


def _save(session: Session, path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
    session.err.print(plain(f"Saved {path}"))


def _export(text: str) -> tuple[TranscriptFormat, Path]:
    """`srt:out.srt` as format and path, refused before anything is uploaded."""
    name, _, path = text.partition(":")
    known: tuple[TranscriptFormat, ...] = get_args(TranscriptFormat)
    if name not in known or not path:
        raise typer.BadParameter(f"--export takes FORMAT:PATH, e.g. srt:out.srt; formats are {', '.join(known)}.")
    if not Path(path).absolute().parent.is_dir():
        raise typer.BadParameter(f"--export: there is no folder for '{path}'.")
    return known[known.index(name)], Path(path)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"--metadata takes NAME=VALUE, not '{text}'.")
    return name, value


def _text(text: str | None) -> str | None:
    """The text, or what stands in the file behind an `@`."""
    return Path(text[1:]).read_text("utf-8") if text and text.startswith("@") else text


def _rubric(path: Path | None) -> dict[str, Any] | None:
    """What a rubric's file says. JSON is YAML too, so one reader takes both."""
    if path is None:
        return None
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise typer.BadParameter(f"'{path}' is neither YAML nor JSON.") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"'{path}' holds no rubric: it begins with 'competencies:'.")
    readable: dict[str, Any] = json.loads(json.dumps(found, default=str))  # YAML takes a version 2026-11-01 for a date
    return readable


def main() -> None:
    """Run the command line."""
    app()
