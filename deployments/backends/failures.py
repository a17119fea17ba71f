"""A model library's exceptions as the errors a job can end with."""

from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.errors import InferenceFailed, JobFailure, VramUnavailable

OUT_OF_MEMORY = ("out of memory", "failed to allocate", "cublas_status_alloc_failed", "can't allocate memory")
"""How CTranslate2, CUDA, cuBLAS and PyTorch's CPU allocator word it; they share no exception class."""


@contextmanager
def job_failures(model: str, otherwise: type[JobFailure] = InferenceFailed) -> Iterator[None]:
    """Turn what a library raises inside the block into `VramUnavailable` or `otherwise`, naming the model.

    Wrap calls of the library only: a `progress` callback that raises to cancel must pass untouched.
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
    """Tell whether a library's exception means that memory ran out, on the GPU or beside it."""
    return isinstance(exc, MemoryError) or any(words in str(exc).lower() for words in OUT_OF_MEMORY)
