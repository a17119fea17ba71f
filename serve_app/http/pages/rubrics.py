"""The rubric pages: the account's rubrics with their versions, a form that shows what is wrong in place, a preview.

The form's script sends the rubric as the API takes it, and shows each refusal beside its field.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from serve_app.accounts.actors import Actor, Role
from serve_app.errors import Conflict
from serve_app.http.api.rubrics import RubricForm, RubricView
from serve_app.http.deps import Services
from serve_app.http.errors import message_of
from serve_app.http.pages.templates import PRIVATE, SCRIPT_POLICY, render
from serve_app.http.pages.visitors import CurrentVisitor, FormFields, FormSender, ScriptSender
from serve_app.jobs import assess_again
from serve_app.jobs import queries as jobs
from serve_app.jobs.assess_again import Reassessment
from serve_app.jobs.models import Job, JobState
from serve_app.jobs.queries import Filter
from serve_app.verticals import rubric_templates
from serve_app.verticals.catalog import Catalog
from serve_app.verticals.rubric_templates import SavedRubric

router = APIRouter(prefix="/rubrics", include_in_schema=False)

PAST_INTERVIEWS = 20
"""Interviews that a preview can be made of: the newest completed ones."""
EMPTY: dict[str, Any] = {"name": "", "description": "", "slug": "", "probe": "", "of_role": False}
EMPTY |= {"anchors": {}, "cues": [], "points": []}


@router.get("")
async def list_rubrics(visitor: CurrentVisitor, services: Services) -> HTMLResponse:
    """The account's rubrics, and the products' own."""
    async with services.database.transaction() as session:
        found = await rubric_templates.list_rubrics(session, visitor.actor)
    context = {"visitor": visitor, "rubrics": found, "products": list(services.catalog)}
    return render("rubrics.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.get("/new")
async def show_new_rubric(
    visitor: CurrentVisitor, services: Services, product: Annotated[str, Query(max_length=64)] = ""
) -> HTMLResponse:
    """The form of a new rubric: empty, or with a product's competencies to begin with."""
    competencies = _of_product(services.catalog, product) if product else [EMPTY]
    context = {"visitor": visitor, "saved": None, "name": "", "competencies": competencies, "empty": EMPTY}
    return render("rubric.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.post("/save")
async def save_rubric(
    visitor: ScriptSender,
    services: Services,
    rubric: Annotated[dict[str, Any], Body()],
    rubric_id: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Save a new rubric or a new version, or answer what is wrong with each field."""
    try:
        form = RubricForm.model_validate(rubric)
        async with services.database.transaction() as session:
            saved = await _save(session, visitor.actor, rubric_id, form)
    except ValidationError as error:
        return JSONResponse({"errors": _wrong(error)}, 422)
    except Conflict as error:
        return JSONResponse({"errors": [{"field": "name", "message": error.message}]}, 409)
    return JSONResponse(RubricView.of(saved).model_dump(mode="json"))


@router.get("/{rubric_id}")
async def show_rubric(
    visitor: CurrentVisitor,
    services: Services,
    rubric_id: str,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> HTMLResponse:
    """A rubric to change, in its newest version or in an earlier one, and the interviews for a preview."""
    async with services.database.transaction() as session:
        saved = await rubric_templates.get_rubric(session, visitor.actor, rubric_id, version)
        versions = await rubric_templates.list_versions(session, visitor.actor, rubric_id)
        past = await _past(session, visitor.account_id)
    context = {
        "visitor": visitor, "saved": saved, "name": saved.template.name, "competencies": saved.version.competencies,
        "empty": EMPTY, "versions": versions, "past": past,
    }  # fmt: skip
    return render("rubric.html", context, policy=SCRIPT_POLICY, headers=PRIVATE)


@router.post("/{rubric_id}/preview")
async def preview_rubric(visitor: FormSender, services: Services, rubric_id: str, fields: FormFields) -> Response:
    """Assess a past interview again by this rubric, and go to the new version of its scorecard."""
    visitor.actor.must_be(Role.RECRUITER)  # the service asks again, once there is a rubric
    async with services.database.transaction() as session:
        saved = await rubric_templates.get_rubric(session, visitor.actor, rubric_id)
        job = await jobs.get_owned(session, visitor.account_id, fields.get("job_id", ""))
        spec = services.catalog.get(job.vertical)
        request = Reassessment(spec=spec, changes={"rubric": saved.as_submitted()})
        accepted = await assess_again.assess_again(session, visitor.actor, job, request)
    await services.dispatcher.notify()
    return RedirectResponse(f"/interviews/{accepted.job_id}", 303, PRIVATE)


@router.post("/{rubric_id}/delete")
async def delete_rubric(visitor: FormSender, services: Services, rubric_id: str) -> Response:
    """Delete a rubric with its versions."""
    async with services.database.transaction() as session:
        await rubric_templates.delete_rubric(session, visitor.actor, rubric_id)
    return RedirectResponse("/rubrics", 303, PRIVATE)


async def _save(session: AsyncSession, actor: Actor, rubric_id: str, form: RubricForm) -> SavedRubric:
    if rubric_id:
        return await rubric_templates.change_rubric(session, actor, rubric_id, form.name, form.competencies)
    return await rubric_templates.create_rubric(session, actor, form.name, form.competencies)


async def _past(session: AsyncSession, account_id: str) -> list[Job]:
    """Interviews with a transcript."""
    finished = Filter(JobState.COMPLETED, further=False)
    page = await jobs.list_jobs(session, account_id, finished, None, PAST_INTERVIEWS)
    return [job for job in page.rows if job.result and not job.result.get("no_speech")]


def _of_product(catalog: Catalog, slug: str) -> list[dict[str, Any]]:
    """A product's competencies, for the form. Raises `VerticalNotFound`."""
    return [competency.model_dump(mode="json") for competency in catalog.get(slug).assessment.competencies]


def _wrong(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong, by the name of the form's field: `competencies.0.anchors.3`.

    A list of which no member is valid counts as empty to pydantic. That is left out: its members say what is wrong.
    """
    messages = {".".join(map(str, each["loc"])): f"{message_of(each)}." for each in error.errors()}
    inner = [name for name in messages if not any(other.startswith(f"{name}.") for other in messages)]
    return [{"field": name, "message": messages[name]} for name in inner]
