"""The order in which queued jobs run: accounts take turns.

The account with the fewest running jobs is first, then the one that was served longest ago. Within an account the
oldest job is first. A thousand recordings sent at once delay each other, and no other account.
"""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, false, func, or_, select
from sqlmodel import col

from serve_app.jobs.duration_estimate import FURTHER_SHARE
from serve_app.jobs.models import Job, JobState

RUNNING = frozenset({JobState.LOADING_WEIGHTS, JobState.PROCESSING_INFERENCE})


def claimable() -> list[Any]:
    """Conditions of a job that can run: queued, due and not leased, and its recording is here."""
    return [*_due(), col(Job.blob).is_not(None)]


def downloadable() -> list[Any]:
    """Conditions of a job whose recording can be fetched: queued, due and not leased."""
    return [*_due(), col(Job.blob).is_(None)]


def downloads_in_order(per_account: int) -> Subquery:
    """Downloadable jobs: `id`, `position` from 1. Accounts with fewer downloads under way are first, then older jobs.

    Leaves out accounts with `per_account` downloads under way.
    """
    fetching = _per_account(and_(col(Job.state) == JobState.QUEUED, _leased(), col(Job.blob).is_(None)))
    under_way = func.coalesce(fetching.c.jobs, 0)
    position = func.row_number().over(order_by=(under_way, col(Job.created_at), col(Job.id))).label("position")
    return (
        select(col(Job.id), position)
        .outerjoin(fetching, fetching.c.account_id == col(Job.account_id))
        .where(*downloadable(), under_way < per_account)
        .subquery()
    )


def queue_in_order() -> Subquery:
    """Claimable jobs: `id`, `version`, `vertical`, `position` from 1, `audio_s`.

    `audio_s` is the seconds of audio of the job and of all jobs before it; a further assessment counts for a tenth.
    """
    nth = func.row_number().over(partition_by=col(Job.account_id), order_by=[col(Job.created_at), col(Job.id)])
    columns = map(col, (Job.id, Job.version, Job.vertical, Job.account_id, Job.created_at))
    further = col(Job.original_id).is_not(None)
    duration_s = case((further, FURTHER_SHARE * col(Job.duration_s)), else_=col(Job.duration_s)).label("duration_s")
    queued = select(*columns, duration_s, nth.label("nth")).where(*claimable()).subquery().c
    running = _running_per_account()
    served_at = select(func.max(Job.started_at)).where(col(Job.account_id) == queued.account_id).scalar_subquery()
    turns = (
        select(
            queued.id, queued.version, queued.vertical, queued.duration_s, queued.created_at,
            (func.coalesce(running.c.jobs, 0) + queued.nth).label("turn"), served_at.label("served_at"),
        )
        .outerjoin(running, running.c.account_id == queued.account_id)
        .subquery()
        .c
    )  # fmt: skip
    order = (turns.turn, turns.served_at.asc().nulls_first(), turns.created_at, turns.id)
    position = func.row_number().over(order_by=order).label("position")
    audio_s = func.sum(turns.duration_s).over(order_by=order).label("audio_s")
    return select(turns.id, turns.version, turns.vertical, position, audio_s).subquery()


def _running_per_account() -> Subquery:
    """How many jobs of each account a worker holds. Downloads do not count."""
    claimed = and_(col(Job.state) == JobState.QUEUED, _leased(), col(Job.blob).is_not(None))
    return _per_account(or_(col(Job.state).in_(RUNNING), claimed))


def _per_account(condition: ColumnElement[bool]) -> Subquery:
    """How many jobs of each account meet the condition: `account_id`, `jobs`."""
    return (
        select(col(Job.account_id), func.count().label("jobs"))
        .where(condition)
        .group_by(col(Job.account_id))
        .subquery()
    )


def _due() -> list[Any]:
    return [col(Job.state) == JobState.QUEUED, col(Job.available_at) <= func.now(), ~_leased()]


def _leased() -> Any:
    """Whether a worker's lease on the job is valid."""
    return func.coalesce(col(Job.lease_until) > func.now(), false())
