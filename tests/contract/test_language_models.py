"""The contract of language models in this process: transformers and llama.cpp over the same weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deployments.backends import LANGUAGE_MODELS
from deployments.backends import progress as progress_module
from deployments.backends.assessor.libllama import Llama
from deployments.backends.assessor.llama_cpp import BLOCK, LlamaCpp, common, gguf_file
from deployments.backends.progress import ProgressReporter, reporting
from serve_app.errors import InferenceFailed, WeightsUnavailable
from tests.support.backends import Stop, language_model, nothing

LOCAL = sorted(LANGUAGE_MODELS - {"openai_llm"})
STORY = "An interviewer asked: “What broke?”\nThe candidate answered: “A lock in the table. I found it in the log.”\n"
OTHER = "Notes from a job interview.\nThey were asked: Why this job?\nThey said: I like timetables and trains.\n"
OPTIONS = ("The answer names a cause.", "The answer is about trains and timetables.")
ASK = "This can be said: "
SCHEMA = {
    "type": "object",
    "properties": {"passage": {"enum": [1, 2]}, "statement": {"enum": ["A", "B"]}},
    "required": ["passage", "statement"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", params=LOCAL)
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A loaded model; both read the same file."""
    assessor: Any = language_model(request.param).build()
    assessor.model.load(nothing)
    yield assessor.model
    assessor.model.unload()


@pytest.fixture
def session(model: Any) -> Iterator[Any]:
    session = model.session(ProgressReporter(nothing))
    yield session
    session.close()


@pytest.fixture(scope="module")
def llama_cpp() -> Iterator[LlamaCpp]:
    spec = language_model("llama_cpp")
    model = LlamaCpp(name=spec.name, weights=dict(spec.weights), context_tokens=1024)
    model.load(nothing)
    yield model
    model.unload()


def test_the_likelier_continuation_weighs_more(session: Any) -> None:
    """What is about the text is likelier after it than what is about another text."""
    after_story, after_other = (session.score(text, ASK, OPTIONS) for text in (STORY, OTHER))
    assert after_story[0] - after_other[0] > after_story[1] - after_other[1]
    assert all(value < 0 for value in (*after_story, *after_other))


def test_what_was_read_before_changes_no_answer(model: Any) -> None:
    """The same call gives the same numbers and the same text, first, after another text, and in a new session."""
    with_other, alone = (model.session(ProgressReporter(nothing)) for _ in "12")
    with_other.score(OTHER, ASK, OPTIONS)
    first, again = (with_other.score(STORY, ASK, OPTIONS) for _ in "12")
    written = with_other.write(STORY, "Choose.", SCHEMA, 32)
    with_other.close()
    assert first == again == alone.score(STORY, ASK, OPTIONS)
    assert alone.write(STORY, "Choose.", SCHEMA, 32) == written
    alone.close()


def test_what_is_written_satisfies_the_schema(session: Any) -> None:
    """A model of any size writes a valid object, and its usage counts the text read once."""
    jsonschema.validate(session.write(STORY, "Choose.", SCHEMA, 32), SCHEMA)
    session.write(STORY, "Choose again.", SCHEMA, 32)
    assert 0 < session.usage.cached_tokens < session.usage.prompt_tokens
    assert session.usage.completion_tokens > 0


def test_an_object_that_does_not_end_in_time_is_an_error(session: Any) -> None:
    """Three tokens are not enough for an object."""
    with pytest.raises(InferenceFailed, match="did not end"):
        session.write(STORY, "Choose.", SCHEMA, 3)


def test_both_libraries_weigh_alike() -> None:
    """The same file gives nearly the same likelihoods through transformers and through llama.cpp."""
    weighed = []
    for backend in LOCAL:
        assessor: Any = language_model(backend).build()
        assessor.model.load(nothing)
        weighed.append(assessor.model.session(ProgressReporter(nothing)).score(STORY, ASK, OPTIONS))
        assessor.model.unload()
    assert weighed[0] == pytest.approx(weighed[1], abs=0.1)


def test_questions_about_a_text_are_answered_by_log_odds(llama_cpp: LlamaCpp) -> None:
    """Each question gets the same number alone and among others; the preamble is read once for all sessions."""
    first, second = (llama_cpp.session(ProgressReporter(nothing)) for _ in "12")
    preamble, asks = f"Examples.\n{OTHER * 6}", ["Does it name a lock? ", "Is it about trains? "]
    odds = first.log_odds(STORY, asks, preamble)
    first.close()
    assert second.log_odds(STORY, asks[1:], preamble) == odds[1:]
    assert (
        second.usage.cached_tokens >= len(llama_cpp.session(ProgressReporter(nothing))._llama.tokens(preamble)) - BLOCK
    )
    assert second.log_odds(STORY, asks[:1]) != odds[:1]
    second.close()


def test_speech_is_never_markup(llama_cpp: LlamaCpp) -> None:
    """Control tokens of the chat template that someone speaks stay words."""
    llama = llama_cpp.llama
    assert isinstance(llama, Llama)
    assert len(llama.tokens("<|im_end|>")) > 1
    assert len(llama.tokens("<|im_end|>", markup=True)) == 1


def test_a_prompt_longer_than_the_context_is_refused_with_both_lengths(llama_cpp: LlamaCpp) -> None:
    """Nothing is cut silently."""
    session = llama_cpp.session(ProgressReporter(nothing))
    with pytest.raises(InferenceFailed, match=r"reads 1024 tokens at once, and this prompt needs up to \d{4}"):
        session.log_odds(STORY * 60, ["Is it long? "])


def test_reading_can_be_stopped_between_tokens(llama_cpp: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller raises reaches it, and the next call answers as if nothing had happened."""
    monkeypatch.setattr(progress_module, "EVERY_S", 0.0)

    def stop(_: float) -> None:
        raise Stop

    expected = llama_cpp.session(ProgressReporter(nothing)).score(STORY, ASK, OPTIONS)
    with pytest.raises(Stop), reporting(stop) as reporter:
        llama_cpp.session(reporter).score(OTHER, ASK, OPTIONS)
    assert llama_cpp.session(ProgressReporter(nothing)).score(STORY, ASK, OPTIONS) == expected


def test_blocks_are_reused_only_whole() -> None:
    """Of texts that part within a block, the blocks before it are common; equal texts are common to the end."""
    text = list(range(3 * BLOCK + 5))
    assert common(text, text) == len(text)
    assert common(text, [*text[: 2 * BLOCK + 3], 0]) == 2 * BLOCK
    assert common(text[:BLOCK], text) == BLOCK
    assert common([], text) == 0


def test_a_folder_must_hold_one_model(tmp_path: Path) -> None:
    """A file in parts counts as one model; none or two are refused, with their names."""
    with pytest.raises(WeightsUnavailable, match="found: none"):
        gguf_file(tmp_path)
    for name in ("big-00001-of-00002.gguf", "big-00002-of-00002.gguf"):
        (tmp_path / name).touch()
    assert gguf_file(tmp_path).name == "big-00001-of-00002.gguf"
    (tmp_path / "small.gguf").touch()
    with pytest.raises(WeightsUnavailable, match="small"):
        gguf_file(tmp_path)


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    """A load that fails leaves nothing behind."""
    (tmp_path / "broken.gguf").write_text(json.dumps({}))
    with pytest.raises(WeightsUnavailable, match=r"broken\.gguf is not a GGUF file"):
        Llama(tmp_path / "broken.gguf", 64, 1, nothing)
