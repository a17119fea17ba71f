"""Upload forms: read after the key was checked, with limits enforced while the bytes arrive."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, JsonValue, ValidationError, WithJsonSchema
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as StarletteUploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from serve_app.errors import FileTooLarge, Invalid, InvalidField
from serve_app.http.body_limit import allow
from serve_app.http.errors import message_of
from serve_app.jobs.models import MAX_LABEL
from serve_app.jobs.submit import UploadedFile
from serve_app.pipeline.types import StatedCandidate
from serve_app.storage.text import Storable, storable_json
from serve_app.verticals.rubric import FORM as RUBRIC_FORM
from serve_app.verticals.rubric import CallerRubric
from serve_app.verticals.spec import VerticalSpec

NOT_FOR_THE_PIPELINE = {"duration_s", "label", "metadata", "rubric_id", "source_url", "webhook_url"}
FORM_OVERHEAD = 1 << 20
"""Room for the other fields and the multipart framing around the file."""
MAX_TEXT_BYTES = 64 * 1024
FILE_FORM = (
    "The recording, unless you send its `source_url`. Each product limits its size and length; refusals name the limit."
)
SOURCE_FORM = (
    "A public https URL of the recording, in place of `file`. The job is accepted at once and fetches it: events with "
    "the stage `download` say how far it is, and the price is charged when it has arrived. When the download fails, "
    "the job fails and nothing is charged. Use an address that opens without a login, such as a signed one. No answer "
    "shows it."
)
LANGUAGE_FORM = "ISO 639 code. Detected if not sent. One that the models do not transcribe is refused."
CANDIDATE_FORM = (
    "Who the candidate is: `first` or `second` to speak, or alone on `channel_1` or `channel_2`. Guessed if not sent. "
    "Without it, nothing is scored where the guess is not sure; the result's `candidate` says how sure it is."
)
WEBHOOK_FORM = (
    "A public https URL that gets this job's events, beside the account's endpoints. The answer has the "
    "`webhook_secret` that verifies them."
)
RUBRIC_ID_FORM = "A rubric of your account (`/v1/rubrics`), in its newest version. In place of `rubric`."
LABEL_FORM = "Your own name for the job, e.g. a candidate's reference. Lists show it and can be searched for it."
METADATA_FORM = (
    "A JSON object of your own. Every view of the job returns it unchanged. Lists can be filtered by its members: "
    "`metadata[team]=x`."
)


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not storable_json(value):
        raise ValueError("must not contain NaN, infinity, NUL or unpaired surrogate characters")
    return value


class SubmitFields(BaseModel):
    """The text fields of a submit form. Unknown fields are refused, so that no misspelt option is ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    role_title: Annotated[
        Storable,
        Field(
            min_length=1,
            max_length=200,
            description="The role that the candidate interviews for.",
            examples=["Backend Engineer"],
        ),
    ]
    duration_s: (
        Annotated[
            float,
            Field(gt=0, allow_inf_nan=False, description="Your estimate in seconds. The real length counts."),
        ]
        | None
    ) = None
    job_description: (
        Annotated[Storable, Field(max_length=20_000, description="Requirements of the role, as text.")] | None
    ) = None
    num_speakers: Annotated[int, Field(ge=1, le=20, description="Number of speakers, if known.")] | None = None
    candidate: Annotated[StatedCandidate, Field(description=CANDIDATE_FORM)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$", description=LANGUAGE_FORM)] | None = None
    words: Annotated[bool, Field(description="Also return every word with its times and confidence.")] | None = None
    rubric: (
        Annotated[
            Json[CallerRubric],
            WithJsonSchema({"type": "string", "description": RUBRIC_FORM}),
        ]
        | None
    ) = None
    rubric_id: Annotated[Storable, Field(max_length=32, description=RUBRIC_ID_FORM)] | None = None
    label: Annotated[Storable, Field(min_length=1, max_length=MAX_LABEL, description=LABEL_FORM)] | None = None
    metadata: (
        Annotated[
            Json[Annotated[dict[str, JsonValue], AfterValidator(_storable)]],
            WithJsonSchema({"type": "string", "description": METADATA_FORM}),
        ]
        | None
    ) = None
    source_url: Annotated[Storable, Field(max_length=2000, description=SOURCE_FORM)] | None = None
    webhook_url: Annotated[Storable, Field(max_length=2000, description=WEBHOOK_FORM)] | None = None

    def inputs(self) -> dict[str, Any]:
        """The fields that the pipeline receives."""
        return self.model_dump(mode="json", exclude_none=True, exclude=NOT_FOR_THE_PIPELINE)


class QuoteFields(BaseModel):
    """The text fields of a quote form. Other fields are ignored, so that a submit form works, too."""

    model_config = ConfigDict(extra="ignore")

    duration_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SubmitForm:
    """A parsed submit form: with a file, or with a `source_url` among its fields."""

    upload: UploadedFile | None
    fields: SubmitFields


OPENAPI_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["role_title"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": FILE_FORM},
                        **SubmitFields.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}
"""Documents the form. The routes parse it themselves, after the key check: FastAPI would read the whole file first."""

OPENAPI_QUOTE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "duration_s": {
                            "type": "number",
                            "exclusiveMinimum": 0,
                            "description": "Audio length in seconds.",
                            "examples": [412],
                        },
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Or the recording.",
                        },
                    },
                }
            }
        },
    }
}


@asynccontextmanager
async def submit_form(request: Request, spec: VerticalSpec) -> AsyncIterator[SubmitForm]:
    """The request's form. Raises `InvalidField`, `Invalid` and `FileTooLarge`.

    A body over the product's limit is refused by its declared length, or else while it is read.
    """
    if not (_is_multipart(request) or _is_urlencoded(request)):
        raise Invalid("Send the recording as multipart/form-data with the fields 'file' and 'role_title'.")
    async with _read(request, spec) as form:
        file = form.get("file")
        if isinstance(file, StarletteUploadFile):
            file = _checked(file, spec)
            fields = _fields(form, SubmitFields)
            if fields.source_url is not None:
                raise InvalidField("'source_url' came with a file. Send one of the two.", "source_url")
            yield SubmitForm(UploadedFile(file.file, file.filename or ""), fields)
        elif not form.get("source_url"):
            raise InvalidField(
                "'file' is missing. Attach the recording as the file field 'file', or send its 'source_url'.", "file"
            )
        else:
            yield SubmitForm(None, _fields(form, SubmitFields))


@asynccontextmanager
async def quote_form(request: Request, spec: VerticalSpec) -> AsyncIterator[UploadedFile | float]:
    """The recording, or `duration_s` in seconds. Raises what `submit_form` raises."""
    async with _read(request, spec) as form:
        file = form.get("file")
        if isinstance(file, StarletteUploadFile):
            yield UploadedFile(_checked(file, spec).file, file.filename or "")
            return
        duration_s = _fields(form, QuoteFields).duration_s
        if duration_s is None:
            raise InvalidField("Send 'duration_s' in seconds, or the recording as 'file'.", "duration_s")
        yield duration_s


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _is_urlencoded(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


class _FormParser(MultiPartParser):
    """Reads multipart forms. A part with only `filename*` (RFC 8187) is a file, as one with `filename` is."""

    def on_headers_finished(self) -> None:
        part = self._current_part
        received = part.content_disposition or b""
        if b"filename*" in received.lower():
            disposition = Message()
            disposition["Content-Disposition"] = received.decode("latin-1")
            name, filename = disposition.get_param("name", header="content-disposition"), disposition.get_filename("")
            escaped = re.sub(r'(["\\])', r"\\\1", re.sub(r"[\x00-\x1f]", "_", filename))
            part.content_disposition = f'form-data; name="{name}"; filename="{escaped}"'.encode(errors="replace")
        super().on_headers_finished()


@asynccontextmanager
async def _read(request: Request, spec: VerticalSpec) -> AsyncIterator[FormData]:
    allow(request, spec.input.max_bytes + FORM_OVERHEAD)
    limits: dict[str, Any] = {"max_files": 1, "max_fields": 20, "max_part_size": MAX_TEXT_BYTES}
    if not _is_multipart(request):
        async with request.form(**limits) as form:
            yield form
            return
    try:
        async with aclosing(request.stream()) as stream:
            form = await _FormParser(request.headers, stream, **limits).parse()
    except MultiPartException as error:
        raise Invalid(f"The form could not be read: {error.message}") from None
    try:
        yield form
    finally:
        await form.close()


def _checked(file: StarletteUploadFile, spec: VerticalSpec) -> StarletteUploadFile:
    size, limit = file.size or 0, spec.input.max_bytes
    if size > limit:
        raise FileTooLarge(f"The file has {size / 1e6:.1f} MB; the limit is {limit / 1e6:g} MB. Compress it.")
    return file


def _fields(form: FormData, schema: type[F]) -> F:
    texts: dict[str, str] = {}
    for name, value in form.multi_items():
        if name in texts:
            raise InvalidField(f"'{name[:60]}' was sent twice. Send it once.", name[:60])
        if isinstance(value, str) and value != "":
            texts[name] = value
        elif not isinstance(value, str) and name != "file":
            raise InvalidField(f"'{name[:60]}' must not be a file. The only file field is 'file'.", name[:60])
    try:
        return schema.model_validate(texts)
    except ValidationError as error:
        raise _invalid(error.errors()[0], schema) from None


def _invalid(first: Any, schema: type[BaseModel]) -> InvalidField:
    """The first error of a pydantic `ValidationError`, for a client."""
    field = ".".join(str(part) for part in first["loc"])[:60] or "(no name)"
    if first["type"] == "extra_forbidden":
        return InvalidField(
            f"This form has no field '{field}'. Its fields: file, {', '.join(schema.model_fields)}.", field
        )
    return InvalidField(f"'{field}': {message_of(first)}.", field)
