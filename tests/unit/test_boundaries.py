"""serve_app imports neither Ray nor a model library."""

import subprocess
import sys

import pytest

from tests.support.world import ROOT

HEAVY = ("ray", "torch", "faster_whisper", "ctranslate2", "pyannote", "transformers")


@pytest.mark.parametrize(
    "module", ["serve_app.http.app", "serve_app.executor", "serve_app.services", "serve_app.pipeline.interview"]
)
def test_the_product_imports_neither_ray_nor_a_model_library(module: str) -> None:
    """API and executor start without the seconds that these imports take."""
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
