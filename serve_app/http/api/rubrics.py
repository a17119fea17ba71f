"""An account's own rubrics: save, list, read in any version, delete. Jobs name one as `rubric_id`."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from serve_app.errors import Conflict, FileTooLarge, InvalidField, NotFound, RateLimited, Unauthorized
from serve_app.http.deps import CurrentCaller, Services
from serve_app.http.openapi import refusals
from serve_app.storage.text import Storable
from serve_app.verticals import rubric_templates
from serve_app.verticals.models import MAX_NAME
from serve_app.verticals.rubric import Competencies
from serve_app.verticals.rubric_templates import SavedRubric

router = APIRouter(prefix="/v1/rubrics", tags=["rubrics"], responses=refusals(Unauthorized, InvalidField, RateLimited))

WRITE = refusals(NotFound, Conflict, FileTooLarge)
RubricId = Annotated[str, Path(description="`rub_` and 20 hexadecimal digits.")]


class RubricForm(BaseModel):
    """A rubric to save. Its competencies follow the rules of a rubric that is sent with a job."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[Storable, Field(min_length=1, max_length=MAX_NAME)]
    competencies: Competencies


class RubricView(BaseModel):
    """A saved rubric in one of its versions."""

    rubric_id: str
    name: str
    version: int = Field(description="From 1. A change makes a new one; the earlier ones stay.")
    version_name: str = Field(description="What results give as `rubric_version`.")
    competencies: list[dict[str, Any]]
    author: str = Field(description="Who saved this version: a member's address or the name of a key.")
    created_at: datetime = Field(description="When this version was saved.")

    @classmethod
    def of(cls, saved: SavedRubric) -> "RubricView":
        """The public view of the rows."""
        return cls(
            rubric_id=saved.template.id,
            name=saved.template.name,
            version=saved.version.number,
            version_name=saved.version_name,
            competencies=saved.version.competencies,
            author=saved.version.author,
            created_at=saved.version.created_at,
        )


class RubricList(BaseModel):
    """Rubrics."""

    data: list[RubricView]


@router.get("")
async def list_rubrics(caller: CurrentCaller, services: Services) -> RubricList:
    """List the account's rubrics by name, each in its newest version."""
    async with services.database.transaction() as session:
        found = await rubric_templates.list_rubrics(session, caller.actor)
    return RubricList(data=[RubricView.of(each) for each in found])


@router.post("", status_code=201, responses=WRITE)
async def create_rubric(caller: CurrentCaller, services: Services, form: RubricForm) -> RubricView:
    """Save a new rubric. Jobs are assessed by it when they name it as `rubric_id`."""
    async with services.database.transaction() as session:
        return RubricView.of(await rubric_templates.create_rubric(session, caller.actor, form.name, form.competencies))


@router.get("/{rubric_id}", responses=refusals(NotFound))
async def get_rubric(
    caller: CurrentCaller,
    services: Services,
    rubric_id: RubricId,
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="The newest if not sent.")] = None,
) -> RubricView:
    """Get a rubric in its newest version, or in an earlier one."""
    async with services.database.transaction() as session:
        return RubricView.of(await rubric_templates.get_rubric(session, caller.actor, rubric_id, version))


@router.get("/{rubric_id}/versions", responses=refusals(NotFound))
async def list_rubric_versions(caller: CurrentCaller, services: Services, rubric_id: RubricId) -> RubricList:
    """List all versions of a rubric, newest first."""
    async with services.database.transaction() as session:
        found = await rubric_templates.list_versions(session, caller.actor, rubric_id)
    return RubricList(data=[RubricView.of(each) for each in found])


@router.put("/{rubric_id}", responses=WRITE)
async def change_rubric(caller: CurrentCaller, services: Services, rubric_id: RubricId, form: RubricForm) -> RubricView:
    """Save a new version of a rubric. If nothing has changed, the newest version stays."""
    async with services.database.transaction() as session:
        changed = await rubric_templates.change_rubric(session, caller.actor, rubric_id, form.name, form.competencies)
    return RubricView.of(changed)


@router.delete("/{rubric_id}", status_code=204, responses=refusals(NotFound))
async def delete_rubric(caller: CurrentCaller, services: Services, rubric_id: RubricId) -> None:
    """Delete a rubric with its versions. Results that were made with it keep their copy."""
    async with services.database.transaction() as session:
        await rubric_templates.delete_rubric(session, caller.actor, rubric_id)
