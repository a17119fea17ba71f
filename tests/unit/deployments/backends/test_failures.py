"""A model library's exceptions become errors a job can end with, and a job's own pass as they are."""

import pytest

from deployments.backends.failures import job_failures
from serve_app.errors import InferenceFailed, JobFailure, VramUnavailable, WeightsUnavailable


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
    ids=lambda exc: str(exc) or "MemoryError",
)
def test_memory_that_ran_out_is_told_apart(raised: Exception) -> None:
    """Each library's wording leads to the error that means: try again later."""
    with pytest.raises(VramUnavailable), job_failures("whisper"):
        raise raised


@pytest.mark.parametrize(("otherwise", "expected"), [(None, InferenceFailed), (WeightsUnavailable, WeightsUnavailable)])
def test_anything_else_names_the_model_and_keeps_its_secrets(
    otherwise: type[JobFailure] | None, expected: type[JobFailure]
) -> None:
    """Clients learn which model failed, not the library's own words."""
    with pytest.raises(expected, match="whisper") as caught, job_failures("whisper", otherwise or InferenceFailed):
        raise ValueError("/srv/models/secret")
    assert "secret" not in caught.value.message


def test_a_jobs_own_failure_passes_untouched() -> None:
    """What already is a job's error is not wrapped again."""
    failure = WeightsUnavailable("gone")
    with pytest.raises(WeightsUnavailable) as caught, job_failures("whisper"):
        raise failure
    assert caught.value is failure
