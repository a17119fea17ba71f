"""Where the evaluations read and write by default."""

from pathlib import Path

from serve_app.settings import ROOT

REFERENCES = ROOT.parent / "shared" / "eval"
"""Recordings and ratings by people. They are not part of the repository."""
BENCHMARKS = ROOT / "docs" / "benchmarks"
CACHE = ROOT / ".run" / "eval"
CASES = Path(__file__).parent / "data"
"""Attacks and honest sentences: `tried/AUTHOR` and `blind`."""
