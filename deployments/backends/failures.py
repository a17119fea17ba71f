"""Converts exceptions of model libraries to `JobFailure`s."""

from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.errors import InferenceFailed, JobFailure, VramUnavailable

OUT_OF_MEMORY = ("out of memory", "failed to allocate", "cublas_status_alloc_failed", "can't allocate memory")
"""Messages of CTranslate2, CUDA, cuBLAS and PyTorch's CPU allocator, which share no exception class."""


@contextmanager
def job_failures(model: str, otherwise: type[JobFailure] = InferenceFailed) -> Iterator[None]:
    """Convert a library's exception to `VramUnavailable` or `otherwise`, with the model's name.

    Wrap library calls only: an exception of `progress`, which cancels the work, must leave unchanged.
    """
    try:
        yield
    except JobFailure:
        raise
    except Exception as exc:
        if is_out_of_memory(exc):
            raise VramUnavailable(f"{model} ran out of memory. Retry the job; it is not charged again.") from exc
        raise otherwise(f"{model} failed ({type(exc).__name__}).") from exc


def is_out_of_memory(exc: BaseException) -> bool:
    """Whether a library's exception means that GPU or main memory ran out."""
    return isinstance(exc, MemoryError) or any(words in str(exc).lower() for words in OUT_OF_MEMORY)
