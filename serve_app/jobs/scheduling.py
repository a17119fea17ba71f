"""Whose turn it is: the order in which waiting jobs are taken up.

Accounts take turns: first who has the fewest jobs at work, then who was served longest ago; within an account the
oldest job. A thousand recordings sent at once wait for each other and not before anybody else's.
"""

from typing import Any

from sqlalchemy import Subquery, and_, false, func, or_, select
from sqlmodel import col

from serve_app.jobs.models import Job, JobState

RUNNING = frozenset({JobState.LOADING_WEIGHTS, JobState.PROCESSING_INFERENCE})


def claimable() -> list[Any]:
    """Conditions of a job that waits, is due and is held by nobody."""
    return [col(Job.state) == JobState.QUEUED, col(Job.available_at) <= func.now(), ~_held()]


def in_turn() -> Subquery:
    """Claimable jobs as `id`, `version`, `vertical`, `place` from 1, and `audio_s`: seconds of audio up to its end."""
    nth = func.row_number().over(partition_by=col(Job.account_id), order_by=[col(Job.created_at), col(Job.id)])
    columns = map(col, (Job.id, Job.version, Job.vertical, Job.account_id, Job.duration_s, Job.created_at))
    waiting = select(*columns, nth.label("nth")).where(*claimable()).subquery().c
    at_work = _at_work()
    served_at = select(func.max(Job.started_at)).where(col(Job.account_id) == waiting.account_id).scalar_subquery()
    turns = (
        select(
            waiting.id, waiting.version, waiting.vertical, waiting.duration_s, waiting.created_at,
            (func.coalesce(at_work.c.jobs, 0) + waiting.nth).label("turn"), served_at.label("served_at"),
        )
        .outerjoin(at_work, at_work.c.account_id == waiting.account_id)
        .subquery()
        .c
    )  # fmt: skip
    order = (turns.turn, turns.served_at.asc().nulls_first(), turns.created_at, turns.id)
    place = func.row_number().over(order_by=order).label("place")
    audio_s = func.sum(turns.duration_s).over(order_by=order).label("audio_s")
    return select(turns.id, turns.version, turns.vertical, place, audio_s).subquery()


def _at_work() -> Subquery:
    """How many jobs of each account are being worked on."""
    busy = or_(col(Job.state).in_(RUNNING), and_(col(Job.state) == JobState.QUEUED, _held()))
    return select(col(Job.account_id), func.count().label("jobs")).where(busy).group_by(col(Job.account_id)).subquery()


def _held() -> Any:
    """Whether a worker's lease on the job is valid."""
    return func.coalesce(col(Job.lease_until) > func.now(), false())
