"""A language model behind an OpenAI-compatible endpoint: vLLM, `ray.serve.llm`, or a provider's service.

Answers are constrained to a JSON schema by the endpoint (`response_format`). The endpoint sees what is judged and
nothing else: passages, rubric and role title, never the recording, a name field or an account.
"""

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from deployments.backends import LoadProgress
from deployments.backends.assessor.injection_tagger import MODEL as TAGGER_WEIGHTS
from deployments.backends.assessor.injection_tagger import InjectionTagger
from deployments.backends.failures import job_failures
from deployments.backends.progress import Pulse, pulsing
from serve_app.errors import InferenceFailed, JobFailure, VramUnavailable, WeightsUnavailable
from serve_app.pipeline.assessment.assess import assess
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.ports import Progress
from serve_app.pipeline.types import Assessment, AssessmentRequest, TokenUsage

BUSY = {429, 503, 507, 529}
"""How endpoints say that they have no room at present."""


class _Call(threading.local):
    """What belongs to the call at work in this thread."""

    def __init__(self) -> None:
        self.usage = TokenUsage()
        self.pulse = Pulse(lambda _: None)


class OpenAILLM:
    """A remote model. See `AssessorBackend` and `LanguageModel`. Its methods may be called from several threads.

    Options: `base_url` ends before `/chat/completions`; `model` is the endpoint's name for it; `api_key_env` names the
    environment variable that holds the key, if one is needed; `seed` goes to endpoints that honour one.
    """

    device = "remote"
    writes_prose = True

    def __init__(  # noqa: PLR0913 - keyword-only options of a profile, not a call people write
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        api_key_env: str = "",
        timeout_s: float = 120.0,
        seed: int = 0,
    ) -> None:
        self.name = name
        self._base_url, self._model, self._api_key_env = base_url.rstrip("/"), model, api_key_env
        self._timeout_s, self._seed = timeout_s, seed
        self._client: httpx.Client | None = None
        self._tagger = InjectionTagger()
        self._call = _Call()

    def weight_bytes(self) -> int:
        """See `Backend.weight_bytes`. Only what hears speech at the grader is here."""
        return TAGGER_WEIGHTS.size()

    def load(self, progress: LoadProgress) -> None:
        """Reach the endpoint once, so that a wrong address or key shows before a job's minutes are spent.

        Raises `WeightsUnavailable` when it cannot be reached, refuses the key, or does not offer the model.
        """
        if self._client is not None:
            return
        client = httpx.Client(base_url=self._base_url, headers=self._headers(), timeout=self._timeout_s)
        try:
            self._check(client)
            progress(0, self.weight_bytes())
            self._tagger.load()
        except BaseException:
            client.close()
            raise
        self._client = client
        progress(self.weight_bytes(), self.weight_bytes())

    def unload(self) -> None:
        """See `Backend.unload`."""
        self._tagger.unload()
        if self._client is not None:
            self._client.close()
            self._client = None

    def assess(self, request: AssessmentRequest, progress: Progress) -> Assessment:
        """See `AssessorBackend.assess`. Raises `InferenceFailed` and `VramUnavailable`."""
        self._call.usage = TokenUsage()
        with pulsing(progress) as self._call.pulse:
            return replace(assess(request, self, self, self._call.pulse), usage=self._call.usage)

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`. Heard here: the endpoint is asked nothing."""
        if self._client is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        with job_failures(self.name):
            return self._tagger.tag_words(sentences, self._call.pulse.beat)

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`. What comes back is held against `schema` again: endpoints may ignore it.

        The context comes first, word for word the same from call to call, which is what endpoints cache by.
        """
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": context + ask}],
            "temperature": 0,
            "seed": self._seed,
            "max_tokens": max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            },
        }
        self._call.pulse.beat()
        answer = self._post("/chat/completions", body)
        written = self._content(answer)
        self._call.usage += _usage(answer.json())
        if not conforms(written, schema):
            raise InferenceFailed(f"{self.name} answered outside the schema it was given.")
        return dict(written)

    def _headers(self) -> dict[str, str]:
        if not self._api_key_env:
            return {}
        key = os.environ.get(self._api_key_env, "")
        if not key:
            raise WeightsUnavailable(f"{self.name} needs a key in the environment variable {self._api_key_env}.")
        return {"Authorization": f"Bearer {key}"}

    def _check(self, client: httpx.Client) -> None:
        try:
            answer = client.get("/models")
        except httpx.HTTPError as exc:
            raise WeightsUnavailable(f"{self.name} cannot be reached ({type(exc).__name__}).") from exc
        if answer.status_code == httpx.codes.NOT_FOUND:
            return  # listing models is optional for an endpoint
        if answer.is_error:
            raise WeightsUnavailable(f"{self.name} refused the connection ({answer.status_code}).")
        offered = _names(answer)
        if offered and self._model not in offered:
            raise WeightsUnavailable(f"{self.name}: the endpoint does not offer the model {self._model!r}.")

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        if self._client is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        try:
            answer = self._client.post(path, json=body)
        except httpx.HTTPError as exc:
            raise InferenceFailed(f"{self.name} did not answer ({type(exc).__name__}).") from exc
        if answer.is_error:
            raise self._failure(answer.status_code)
        return answer

    def _failure(self, status: int) -> JobFailure:
        if status in BUSY:
            return VramUnavailable(f"{self.name} has no room at present ({status}). Retry; it is not charged again.")
        return InferenceFailed(f"{self.name} refused the request ({status}).")

    def _content(self, answer: httpx.Response) -> Any:
        try:
            choice = answer.json()["choices"][0]
            return json.loads(choice["message"]["content"])
        except (ValueError, KeyError, IndexError, TypeError) as exc:
            raise InferenceFailed(f"{self.name} did not answer with the JSON it was asked for.") from exc


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Whether `value` satisfies the part of JSON Schema that our schemas use: flat objects, enums, lengths of text."""
    if not isinstance(value, dict) or set(value) != set(schema["required"]):
        return False
    return all(_fits(value[key], rule) for key, rule in schema["properties"].items())


def _fits(value: Any, rule: dict[str, Any]) -> bool:
    if "enum" in rule:
        return any(value == option and type(value) is type(option) for option in rule["enum"])
    return isinstance(value, str) and rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value))


def _usage(answer: Any) -> TokenUsage:
    """What the endpoint says the call took; nothing where it does not say."""
    told = answer.get("usage") or {}
    details = told.get("prompt_tokens_details") or {}
    counts = (told.get("prompt_tokens"), details.get("cached_tokens"), told.get("completion_tokens"))
    return TokenUsage(1, *(count if isinstance(count, int) else 0 for count in counts))


def _names(answer: httpx.Response) -> set[str]:
    try:
        return {str(model["id"]) for model in answer.json()["data"]}
    except (ValueError, KeyError, TypeError):
        return set()
