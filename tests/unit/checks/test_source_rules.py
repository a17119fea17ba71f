"""Each source rule finds its violation, and the repository keeps all of them."""

from pathlib import Path

import pytest

from scripts.checks.source_rules import MAX_FILE_LINES, MAX_FUNCTION_LINES, main, violations

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("handle.run.remote(1)", "deployments/executor.py"),
        ("handle.run.remote(1)", "deployments/replica/handles.py"),
        ("call = handle.run.remote", "scripts/benchmarks/pool_driver.py"),
        ("job.state = JobState.FAILED", "serve_app/jobs/settlement.py"),
        ("row.version += 1", "serve_app/executor.py"),
        ("old, job.state = job.state, JobState.FAILED", "serve_app/executor.py"),
        ("setattr(row, 'last_seq', 2)", "serve_app/sweeper.py"),
        ("Job(state=JobState.QUEUED)", "serve_app/jobs/submit.py"),
        ("sa.update(models.Job).values({'version': 2})", "serve_app/jobs/queries.py"),
        ("update(Job).values({Job.last_seq: 2})", "serve_app/jobs/queries.py"),
        ("update(Job).values(**{'state': state})", "serve_app/jobs/queries.py"),
        ("update(Job).where(x == 1).values(blob=None, state=state)", "serve_app/http/api/jobs.py"),
        ("await ledger.return_credits(session, price, kind)", "serve_app/sweeper.py"),
        (LONG_FUNCTION, "tests/unit/test_x.py"),
        ("\n" * (MAX_FILE_LINES + 1), "scripts/launcher/stack.py"),
    ],
)
def test_a_violation_is_found(source: str, where: str) -> None:
    """One line per violation, with the file."""
    (line,) = violations(source, Path(where))
    assert line.startswith(where)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("handle.run.remote(1)", "deployments/handles.py"),
        ("update(Job).values(state=state, version=Job.version + 1)", "serve_app/jobs/lifecycle.py"),
        ("update(Job).values(blob=None)", "serve_app/jobs/settlement.py"),
        ("update(ModelReplica).values(state=state)", "serve_app/model_pool/registry.py"),
        ("self.version = claim.version", "serve_app/executor.py"),
        ("self.state = ModelState.WARM", "deployments/replica/lifecycle.py"),
        ("await ledger.return_credits(session, price, kind)", "serve_app/jobs/settlement.py"),
    ],
)
def test_what_is_allowed_is_not_reported(source: str, where: str) -> None:
    """The allowed file of each rule, and columns of the same name in other tables."""
    assert list(violations(source, Path(where))) == []


def test_the_repository_keeps_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """The same run as in `make check`."""
    main()
    assert capsys.readouterr().out == "source rules: kept\n"
