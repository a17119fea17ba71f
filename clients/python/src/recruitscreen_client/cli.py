"""The command `recruitscreen`. Writes results to standard output, and progress, hints and errors to standard error.

Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 130 interrupted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import httpx
import typer
from rich.console import Console
from typer.core import TyperGroup

from recruitscreen_client import again, listen, live, reports, scorecard, tables
from recruitscreen_client.arguments import pairs, read_rubric, text_of
from recruitscreen_client.client import RecruitScreen
from recruitscreen_client.errors import RecruitScreenError
from recruitscreen_client.fields import DEFAULT_BASE_URL
from recruitscreen_client.fixes import fix_for, fix_for_job
from recruitscreen_client.options import StatedCandidate, SubmitOptions, TranscriptFormat
from recruitscreen_client.plain import plain
from recruitscreen_client.session import AsJson, JobId, Session

Connect = Callable[[str | None, str | None, str], RecruitScreen]
INTERRUPTED = 130
PIPE_WIDTH = 120
"""Columns of output that goes to no terminal, e.g. a pipe. Rich's default of 80 truncates the tables."""


class ErrorReport(TyperGroup):
    """Reports the errors of all commands in one line, with a hint, and exits with code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RecruitScreenError as failure:
            self._report(ctx, failure.message, fix_for(failure, ctx.obj.client.base_url))
        except UnicodeDecodeError as failure:
            self._report(ctx, f"The file is not UTF-8 text: {failure}", None)
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
    cls=ErrorReport,
    no_args_is_help=True,
    help="Screen recorded interviews with RecruitScreen.",
    add_completion=False,
)

Follow = Annotated[bool, typer.Option(help="Show progress until the job is over, then its scorecard.")]
WithTranscript = Annotated[bool, typer.Option(help="Print the transcript above the scorecard.")]


@app.callback()
def connect(
    ctx: typer.Context,
    api_key: Annotated[str | None, typer.Option(envvar="RECRUITSCREEN_API_KEY", help="API key, lv_sk_…")] = None,
    base_url: Annotated[
        str | None, typer.Option(envvar="RECRUITSCREEN_BASE_URL", help=f"URL of the API. Default: {DEFAULT_BASE_URL}")
    ] = None,
    vertical: Annotated[str, typer.Option(help="Product for submit and quote.")] = "recruitscreen",
) -> None:
    make: Connect = ctx.obj or RecruitScreen  # tests and embedding programs pass another factory
    try:
        client = make(api_key, base_url, vertical)
    except (ValueError, httpx.InvalidURL) as error:
        raise typer.BadParameter(str(error)) from None
    ctx.obj = Session(client, _console(stderr=False), _console(stderr=True))
    ctx.call_on_close(client.close)


@app.command()
def submit(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    recording: Annotated[str, typer.Argument(metavar="FILE|URL", help="A file, or a public https address of one.")],
    *,
    role: Annotated[str, typer.Option(help="Title of the role that the candidate interviews for.")],
    follow: Follow = True,
    export: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMAT:PATH", help="Also save the transcript: json, txt, srt or vtt."),
    ] = None,
    job_description: Annotated[str | None, typer.Option(help="Requirements of the role. @PATH reads a file.")] = None,
    language: Annotated[str | None, typer.Option(help="Spoken language, e.g. en. Default: detected.")] = None,
    speakers: Annotated[int | None, typer.Option(help="Number of speakers, if known.")] = None,
    candidate: Annotated[
        StatedCandidate | None,
        typer.Option(help="Who the candidate is: first or second to speak, channel_1 or channel_2."),
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with your own rubric, YAML or JSON.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Your own name for the job, e.g. the candidate's reference.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Stored with the job. Can be repeated.")
    ] = None,
    transcript: WithTranscript = False,
    as_json: AsJson = False,
) -> None:
    """Upload a recording and follow it to its scorecard."""
    session: Session = ctx.obj
    exports = [_export(text) for text in export or ()]
    if exports and not follow:
        raise typer.BadParameter("--export needs the finished job. Leave out --no-follow.")
    options: SubmitOptions = {
        "job_description": text_of(job_description),
        "language": language,
        "num_speakers": speakers,
        "candidate": candidate,
        "rubric": read_rubric(rubric),
        "label": label,
        "metadata": pairs(metadata) or None,
    }
    submitted = _send(session, recording, role, options)
    if not follow:
        session.print(submitted, lambda job: plain(job["job_id"]), as_json=as_json)
        session.err.print(plain(f"Follow the job: recruitscreen follow {submitted['job_id']}"))
        return
    _follow_and_show(session, submitted["job_id"], exports, transcript=transcript, as_json=as_json)


@app.command("follow")
def follow_job(
    ctx: typer.Context, job_id: JobId, *, transcript: WithTranscript = False, as_json: AsJson = False
) -> None:
    """Show a job's progress until it is over, then its scorecard."""
    _follow_and_show(ctx.obj, job_id, [], transcript=transcript, as_json=as_json)


@app.command()
def show(ctx: typer.Context, job_id: JobId, *, transcript: WithTranscript = False, as_json: AsJson = False) -> None:
    """Show a job's current state and scorecard."""
    session: Session = ctx.obj
    _show(session, session.client.job(job_id), transcript=transcript, as_json=as_json)


@app.command("list")
def list_jobs(  # noqa: PLR0913 - a command's options are its parameters
    ctx: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(help="Only jobs in this state, e.g. completed.")] = None,
    product: Annotated[str | None, typer.Option(help="Only jobs of this product.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only jobs with these words in their role, label, file name or id.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only jobs with this metadata. Can be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    session: Session = ctx.obj
    rows = list(session.client.list(status, product, limit, q=search, metadata=pairs(metadata)))
    session.print(rows, tables.jobs, as_json=as_json)


@app.command()
def cancel(ctx: typer.Context, job_id: JobId, *, as_json: AsJson = False) -> None:
    """Cancel a job that is not over. Its credits come back unless a model had begun to work on the recording."""
    session: Session = ctx.obj
    session.print(session.client.cancel(job_id), scorecard.headline, as_json=as_json)


@app.command()
def retry(ctx: typer.Context, job_id: JobId, *, follow: Follow = True, as_json: AsJson = False) -> None:
    """Run a failed job again without a charge."""
    session: Session = ctx.obj
    retried = session.client.retry(job_id)
    if follow:
        _follow_and_show(session, job_id, [], transcript=False, as_json=as_json)
    else:
        session.print(retried, lambda job: plain(f"{job_id} is {job['status']} again."), as_json=as_json)


@app.command()
def delete(
    ctx: typer.Context,
    job_id: JobId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a job's recording, transcript and assessment permanently."""
    session: Session = ctx.obj
    if not yes:
        typer.confirm(f"Erase the content of {job_id} permanently?", abort=True, err=True)
    session.client.delete(job_id)
    session.out.print(plain(f"{job_id} deleted."))


@app.command()
def transcript(
    ctx: typer.Context,
    job_id: JobId,
    *,
    format: Annotated[TranscriptFormat, typer.Option(help="json, txt, srt or vtt.")] = "txt",  # noqa: A002 - the option's name
    out: Annotated[Path | None, typer.Option(help="File to write to. Default: standard output.")] = None,
) -> None:
    """Print or save a finished job's transcript."""
    session: Session = ctx.obj
    text = session.client.transcript(job_id, format)
    if out:
        session.save(out, text)
    else:
        typer.echo(text.rstrip("\n"))


@app.command()
def credits(  # noqa: A001 - the command's name
    ctx: typer.Context,
    *,
    ledger: Annotated[bool, typer.Option("--ledger", help="List every change of the balance, newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the account's balance or ledger."""
    session: Session = ctx.obj
    if ledger:
        rows = list(session.client.ledger(limit))
        session.print(rows, tables.ledger, as_json=as_json)
        return
    session.print(session.client.credits(), tables.credits, as_json=as_json)


@app.command("listen")
def listen_for_events(
    ctx: typer.Context,
    *,
    forward: Annotated[str, typer.Option(metavar="URL", help="Local URL that gets the events, by POST.")],
    events: Annotated[
        list[str] | None, typer.Option(metavar="TYPE", help="Only this type, e.g. job.completed. Can be repeated.")
    ] = None,
    secret: Annotated[str | None, typer.Option(help="Secret that signs, whsec_…. Default: a new one, printed.")] = None,
) -> None:
    """Forward the account's webhook events to a local server, signed, until Ctrl-C. Needs no public address."""
    session: Session = ctx.obj
    try:
        listen.forward(session.client, listen.Target(forward, secret, frozenset(events or ())), session.err)
    except (ValueError, httpx.InvalidURL) as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def models(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the state of the model pool."""
    session: Session = ctx.obj
    session.print(session.client.models(), tables.models, as_json=as_json)


@app.command()
def quote(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", exists=True, dir_okay=False)] = None,
    *,
    duration: Annotated[float | None, typer.Option(min=0, help="Length in seconds, in place of a file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the price and expected duration of a job. Charges nothing."""
    if (file is None) == (duration is None):
        raise typer.BadParameter("Give either a file or --duration, not both.")
    session: Session = ctx.obj
    session.print(session.client.quote(file, duration_s=duration), tables.quote, as_json=as_json)


app.command()(reports.export)
app.command()(again.reassess)
app.command()(again.assessments)
app.command()(again.review)
app.command()(again.agreement)
app.command()(reports.usage)
app.command()(reports.prices)
app.command()(reports.results)
app.command()(reports.impact_ratio)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console


def _send(session: Session, recording: str, role: str, options: SubmitOptions) -> dict[str, Any]:
    """Submit a file or an address."""
    try:
        if "://" in recording:
            submitted = session.client.submit_url(recording, role, **options)
            session.err.print(
                plain(f"Submitted as {submitted['job_id']}. It is charged when the recording has arrived.")
            )
            return submitted
        file = Path(recording)
        if not file.is_file():
            raise typer.BadParameter(f"File '{file}' does not exist.")
        with session.err.status(plain(f"Uploading {file.name} ({file.stat().st_size / 1e6:.1f} MB)")):
            submitted = session.client.submit(file, role, **options)
    except KeyboardInterrupt:
        session.err.print(
            "Interrupted before the server answered. See `recruitscreen list` for whether it took the job."
        )
        raise typer.Exit(INTERRUPTED) from None
    charged, remaining = submitted["credits_charged"], submitted["credits_remaining"]
    session.err.print(plain(f"Submitted {file.name} as {submitted['job_id']}: {charged} credits, {remaining} remain."))
    return submitted


def _follow_and_show(
    session: Session, job_id: str, exports: list[tuple[TranscriptFormat, Path]], *, transcript: bool, as_json: bool
) -> None:
    try:
        job = live.follow(session.client, job_id, session.err)
    except KeyboardInterrupt:
        session.err.print(plain("The job continues. Follow it: ") + plain(f"recruitscreen follow {job_id}", "bold"))
        raise typer.Exit(INTERRUPTED) from None
    _show(session, job, transcript=transcript, as_json=as_json)
    if job["status"] != "completed":
        raise typer.Exit(1)
    for format_, path in exports:
        session.save(path, session.client.transcript(job_id, format_))


def _show(session: Session, job: dict[str, Any], *, transcript: bool, as_json: bool) -> None:
    session.print(job, lambda job: scorecard.card(job, transcript=transcript), as_json=as_json)
    if fix := fix_for_job(job):
        session.err.print(plain(f"  {fix}"))


def _export(text: str) -> tuple[TranscriptFormat, Path]:
    """Format and path of an option such as `srt:out.srt`. Raises `BadParameter` before anything is uploaded."""
    name, _, path = text.partition(":")
    known: tuple[TranscriptFormat, ...] = get_args(TranscriptFormat)
    if name not in known or not path:
        raise typer.BadParameter(f"--export takes FORMAT:PATH, e.g. srt:out.srt. Formats: {', '.join(known)}.")
    if not Path(path).absolute().parent.is_dir():
        raise typer.BadParameter(f"--export: the folder of '{path}' does not exist. Create it first.")
    return known[known.index(name)], Path(path)


def main() -> None:
    """Entry point of the command `recruitscreen`."""
    app()
