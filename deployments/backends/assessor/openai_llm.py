"""A language model behind an OpenAI-compatible endpoint: vLLM, `ray.serve.llm`, or a provider's service.

Answers are constrained to a JSON schema by the endpoint (`response_format`). The endpoint sees what is judged and
nothing else: passages, rubric and role title, never the recording, a name field or an account.
"""

import json
import os
from typing import Any

import httpx

from deployments.backends import LoadProgress
from deployments.backends.progress import ProgressReporter
from serve_app.errors import InferenceFailed, JobFailure, VramUnavailable, WeightsUnavailable
from serve_app.pipeline.types import TokenUsage

BUSY = {429, 503, 507, 529}
"""Statuses by which endpoints say that they are at capacity."""


class OpenAILLM:
    """A remote model. See `assessor.SessionModel`. Sessions may run in several threads.

    Options: `base_url` ends before `/chat/completions`; `model` is the endpoint's name for it; `api_key_env` names the
    environment variable that holds the key, if one is needed; `seed` goes to endpoints that honour one.
    """

    device = "remote"

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
        self.name, self.model, self.seed = name, model, seed
        self._base_url, self._api_key_env, self._timeout_s = base_url.rstrip("/"), api_key_env, timeout_s
        self._client: httpx.Client | None = None

    def weight_bytes(self) -> int:
        """Nothing of the model is on this machine."""
        return 0

    def load(self, progress: LoadProgress) -> None:
        """Reach the endpoint once, so that a wrong address or key shows before a job's minutes are spent.

        Raises `WeightsUnavailable` when it cannot be reached, refuses the key, or does not offer the model.
        """
        if self._client is not None:
            return
        client = httpx.Client(base_url=self._base_url, headers=self._headers(), timeout=self._timeout_s)
        try:
            self._check(client)
        except BaseException:
            client.close()
            raise
        self._client = client
        progress(0, 0)

    def unload(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def session(self, progress: ProgressReporter) -> "OpenAISession":
        """See `SessionModel.session`."""
        self._loaded()
        return OpenAISession(self, progress)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Send a request. Raises `InferenceFailed`, and `VramUnavailable` when the endpoint is at capacity."""
        client = self._loaded()
        try:
            answer = client.post(path, json=body)
        except httpx.HTTPError as exc:
            raise InferenceFailed(f"{self.name} did not answer ({type(exc).__name__}).") from exc
        if answer.is_error:
            raise self._failure(answer.status_code)
        return answer

    def _loaded(self) -> httpx.Client:
        if self._client is None:
            raise InferenceFailed(f"{self.name} was asked to assess before it was loaded.")
        return self._client

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
        if offered and self.model not in offered:
            raise WeightsUnavailable(f"{self.name}: the endpoint does not offer the model {self.model!r}.")

    def _failure(self, status: int) -> JobFailure:
        if status in BUSY:
            return VramUnavailable(f"{self.name} is at capacity ({status}). Retry the job; it is not charged again.")
        return InferenceFailed(f"{self.name} refused the request ({status}).")


class OpenAISession:
    """One assessment with the endpoint. See `LanguageModel` and `assessor.Session`."""

    writes_prose = True

    def __init__(self, llm: OpenAILLM, progress: ProgressReporter) -> None:
        self.name = llm.name
        self.usage = TokenUsage()
        self._llm, self._progress = llm, progress

    def close(self) -> None:
        """Nothing of the interview is kept here."""

    def write(self, context: str, ask: str, schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """See `LanguageModel.write`. Checks the answer against `schema` again: endpoints may ignore it.

        The context comes first and is identical from call to call, which is what endpoints cache by.
        """
        body = {
            "model": self._llm.model,
            "messages": [{"role": "user", "content": context + ask}],
            "temperature": 0,
            "seed": self._llm.seed,
            "max_tokens": max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            },
        }
        self._progress.repeat()
        answer = self._llm.post("/chat/completions", body)
        written = self._content(answer)
        self.usage += _usage(answer.json())
        if not conforms(written, schema):
            raise InferenceFailed(f"{self.name} answered outside the schema it was given.")
        return dict(written)

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
    """Tokens of the call as the endpoint reports them; 0 where it reports none."""
    usage = answer.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    counts = (usage.get("prompt_tokens"), details.get("cached_tokens"), usage.get("completion_tokens"))
    return TokenUsage(1, *(count if isinstance(count, int) else 0 for count in counts))


def _names(answer: httpx.Response) -> set[str]:
    try:
        return {str(model["id"]) for model in answer.json()["data"]}
    except (ValueError, KeyError, TypeError):
        return set()
