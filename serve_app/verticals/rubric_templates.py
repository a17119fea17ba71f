"""Save, list, read and delete an account's own rubrics. A change is a new version; earlier ones stay readable."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts import audit
from serve_app.accounts.actors import Actor, Role
from serve_app.accounts.audit import Action
from serve_app.accounts.models import Account
from serve_app.errors import Conflict, NotFound
from serve_app.storage.text import storable
from serve_app.verticals.models import RubricTemplate, RubricVersion
from serve_app.verticals.rubric import CompetencySpec

MAX_TEMPLATES = 100
MAX_SHOWN = 50
"""Characters of a rubric's name in the name of its version, which has 64 at most."""
NO_SUCH_RUBRIC = "No saved rubric with this id exists in your account. GET /v1/rubrics lists them."


@dataclass(frozen=True, slots=True)
class SavedRubric:
    """A rubric in one of its versions."""

    template: RubricTemplate
    version: RubricVersion

    @property
    def version_name(self) -> str:
        """What results give as the rubric's version: `Nurse-ward-3.v2`."""
        name = re.sub(r"[^\w.+-]+", "-", self.template.name)[:MAX_SHOWN].strip("-") or self.template.id
        return f"{name}.v{self.version.number}"

    def as_submitted(self) -> dict[str, Any]:
        """The rubric as a caller would submit it with a job."""
        return {"version": self.version_name, "competencies": self.version.competencies}


async def list_rubrics(session: AsyncSession, actor: Actor) -> list[SavedRubric]:
    """The account's rubrics by name, each in its newest version."""
    others = aliased(RubricVersion)
    newest = select(func.max(others.number)).where(col(others.rubric_id) == RubricTemplate.id).scalar_subquery()
    query = (
        select(RubricTemplate, RubricVersion)
        .join(RubricVersion, col(RubricVersion.rubric_id) == col(RubricTemplate.id))
        .where(col(RubricTemplate.account_id) == actor.account_id, col(RubricVersion.number) == newest)
        .order_by(func.lower(RubricTemplate.name))
    )
    return [SavedRubric(template, version) for template, version in (await session.exec(query)).all()]


async def get_rubric(session: AsyncSession, actor: Actor, rubric_id: str, number: int | None = None) -> SavedRubric:
    """A rubric of the actor's account, in one version or in the newest. Raises `NotFound`."""
    template = await _owned(session, actor, rubric_id)
    versions = await _versions(session, template.id)
    found = next((one for one in versions if number is None or one.number == number), None)
    if found is None:
        raise NotFound(f"This rubric has no version {number}. Its newest is {versions[0].number}.")
    return SavedRubric(template, found)


async def list_versions(session: AsyncSession, actor: Actor, rubric_id: str) -> list[SavedRubric]:
    """All versions of a rubric, newest first. Raises `NotFound`."""
    template = await _owned(session, actor, rubric_id)
    return [SavedRubric(template, version) for version in await _versions(session, template.id)]


async def create_rubric(
    session: AsyncSession, actor: Actor, name: str, competencies: Sequence[CompetencySpec]
) -> SavedRubric:
    """Save a new rubric as version 1. Raises `Conflict` for a name that is used, or when there are too many."""
    actor.must_be(Role.RECRUITER)
    await session.exec(select(col(Account.id)).where(col(Account.id) == actor.account_id).with_for_update())
    await _check_name(session, actor, name)
    mine = col(RubricTemplate.account_id) == actor.account_id
    if (await session.exec(select(func.count()).select_from(RubricTemplate).where(mine))).one() >= MAX_TEMPLATES:
        raise Conflict(f"The account has {MAX_TEMPLATES} rubrics, the most it may have. Delete one first.")
    template = RubricTemplate(account_id=actor.account_id, name=name)
    session.add(template)
    await session.flush()
    return await _add_version(session, actor, template, 1, _content(competencies))


async def change_rubric(
    session: AsyncSession, actor: Actor, rubric_id: str, name: str, competencies: Sequence[CompetencySpec]
) -> SavedRubric:
    """Save a new version. Without a change, the newest one stays. Raises `NotFound` and `Conflict`."""
    actor.must_be(Role.RECRUITER)
    template = await _owned(session, actor, rubric_id, lock=True)
    newest = (await _versions(session, template.id))[0]
    if name != template.name:
        await _check_name(session, actor, name)
        template.name = name
        session.add(template)
    content = _content(competencies)
    if content == newest.competencies:
        await session.flush()
        return SavedRubric(template, newest)
    return await _add_version(session, actor, template, newest.number + 1, content)


async def delete_rubric(session: AsyncSession, actor: Actor, rubric_id: str) -> None:
    """Delete a rubric with its versions. Jobs that were assessed by it keep their copy. Raises `NotFound`."""
    actor.must_be(Role.RECRUITER)
    await session.delete(await _owned(session, actor, rubric_id))
    await audit.record(session, actor, Action.RUBRIC_DELETED, rubric_id)


async def _add_version(
    session: AsyncSession, actor: Actor, template: RubricTemplate, number: int, content: list[dict[str, Any]]
) -> SavedRubric:
    version = RubricVersion(rubric_id=template.id, number=number, competencies=content, author=actor.name)
    session.add(version)
    await session.flush()
    await session.refresh(version)
    await audit.record(session, actor, Action.RUBRIC_SAVED, template.id, f"version {number}")
    return SavedRubric(template, version)


async def _owned(session: AsyncSession, actor: Actor, rubric_id: str, *, lock: bool = False) -> RubricTemplate:
    if not storable(rubric_id):
        raise NotFound(NO_SUCH_RUBRIC)
    mine = (col(RubricTemplate.id) == rubric_id, col(RubricTemplate.account_id) == actor.account_id)
    query = select(RubricTemplate).where(*mine)
    template = (await session.exec(query.with_for_update() if lock else query)).first()
    if template is None:
        raise NotFound(NO_SUCH_RUBRIC)
    return template


async def _versions(session: AsyncSession, rubric_id: str) -> Sequence[RubricVersion]:
    query = select(RubricVersion).where(col(RubricVersion.rubric_id) == rubric_id)
    return (await session.exec(query.order_by(col(RubricVersion.number).desc()))).all()


async def _check_name(session: AsyncSession, actor: Actor, name: str) -> None:
    same = (col(RubricTemplate.account_id) == actor.account_id, col(RubricTemplate.name) == name)
    if (await session.exec(select(RubricTemplate.id).where(*same))).first() is not None:
        raise Conflict(f"The account has a rubric called '{name}' already. Choose another name, or change that one.")


def _content(competencies: Sequence[CompetencySpec]) -> list[dict[str, Any]]:
    return [competency.model_dump(mode="json") for competency in competencies]
