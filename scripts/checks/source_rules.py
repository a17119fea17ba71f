"""Rules of this project that no linter knows.

* A job's state is written in `jobs/lifecycle.py` alone.
* `.remote(` is called in `deployments/handles.py` alone.
* No function is longer than 60 lines, no file longer than 400.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("serve_app", "deployments", "scripts", "tests", "clients")
LONGEST_FUNCTION = 60
LONGEST_FILE = 400


def violations(path: Path) -> Iterator[str]:
    """What `path` does against the rules, one line each."""
    source = path.read_text("utf-8")
    where = path.relative_to(ROOT)
    if source.count("\n") > LONGEST_FILE:
        yield f"{where}: {source.count(chr(10))} lines, at most {LONGEST_FILE}"
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if length(node) > LONGEST_FUNCTION:
                yield f"{where}:{node.lineno}: {node.name} has {length(node)} lines, at most {LONGEST_FUNCTION}"
            case ast.Call(func=ast.Attribute(attr="remote")) if where != Path("deployments/handles.py"):
                yield f"{where}:{node.lineno}: .remote() belongs in deployments/handles.py"
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="job"), attr="state")]):
                yield f"{where}:{node.lineno}: a job's state is written by jobs.lifecycle alone"


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring included."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> int:
    """Print all violations; the exit code says whether there were any."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [line for path in files if "versions" not in path.parts for line in violations(path)]
    print("\n".join(found) or "own rules: kept")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
