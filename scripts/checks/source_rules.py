"""Source rules of this project, on top of ruff, mypy and import-linter.

* `.remote(` is called in `deployments/handles.py` alone.
* The columns `state`, `version` and `last_seq` of a job are written in `serve_app/jobs/lifecycle.py` alone.
* Credits are returned in `serve_app/jobs/settlement.py` alone.
* No function is longer than 60 lines, no file longer than 400.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("serve_app", "deployments", "scripts", "tests", "clients")
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400

HANDLES = Path("deployments/handles.py")
LIFECYCLE = Path("serve_app/jobs/lifecycle.py")
SETTLEMENT = Path("serve_app/jobs/settlement.py")
FENCED_COLUMNS = {"state", "version", "last_seq"}
JOB_WRITERS = (
    "serve_app/jobs/",
    "serve_app/http/",
    "serve_app/downloader.py",
    "serve_app/executor.py",
    "serve_app/sweeper.py",
    "serve_app/cli.py",
)
"""Files that handle `Job` rows. Elsewhere `state` and `version` are columns of other tables."""


def violations(source: str, where: Path) -> Iterator[str]:
    """The violations in `source`, the text of the file `where` (relative to the checkout), one line each."""
    lines = source.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{where}: {lines} lines; at most {MAX_FILE_LINES} are allowed"
    for node in ast.walk(ast.parse(source)):
        for line in _of_node(node, where):
            yield f"{where}:{getattr(node, 'lineno', 0)}: {line}"


def _of_node(node: ast.AST, where: Path) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if length(node) > MAX_FUNCTION_LINES:
            yield f"{node.name} has {length(node)} lines; at most {MAX_FUNCTION_LINES} are allowed"
        case ast.Attribute(attr="remote", ctx=ast.Load()) if where != HANDLES:
            yield f"call .remote() in {HANDLES} only"
        case ast.Call(func=ast.Attribute(attr="return_credits")) if _is_product(where) and where != SETTLEMENT:
            yield f"return credits in {SETTLEMENT} only"
    if str(where).startswith(JOB_WRITERS) and where != LIFECYCLE and (columns := set(_written(node)) & FENCED_COLUMNS):
        yield f"write a job's {', '.join(sorted(columns))} in {LIFECYCLE} only"


def _is_product(where: Path) -> bool:
    return where.parts[0] == "serve_app"


def _written(node: ast.AST) -> Iterator[str]:
    """Columns of a job that a statement writes: `x.state = …`, `Job(state=…)` or `update(Job)….values(state=…)`."""
    match node:
        case ast.Assign(targets=targets):
            parts = [
                part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])
            ]
            yield from (part.attr for part in parts if _is_row(part))
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target) if _is_row(target):
            yield target.attr
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Call(func=ast.Name(id="Job"), keywords=keywords):
            yield from (keyword.arg for keyword in keywords if keyword.arg)
        case ast.Call(func=ast.Attribute(attr="values", value=chain)) if _updates_jobs(chain):
            yield from _named_values(node)


def _named_values(call: ast.Call) -> Iterator[str]:
    """Columns in `.values(state=…)`, and in its dicts: `**{"state": …}`, `{"state": …}` and `{Job.state: …}`."""
    yield from (keyword.arg for keyword in call.keywords if keyword.arg)
    for value in (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg is None)):
        for key in value.keys if isinstance(value, ast.Dict) else ():
            match key:
                case ast.Constant(value=str(name)) | ast.Attribute(attr=name):
                    yield name


def _is_row(target: ast.expr) -> TypeGuard[ast.Attribute]:
    """Whether an assignment's target may be a row's column: an object's own attributes are none."""
    return isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self"


def _updates_jobs(chain: ast.expr) -> bool:
    return any(
        ast.unparse(part.func).split(".")[-1] == "update" and ast.unparse(part.args[0]).split(".")[-1] == "Job"
        for part in ast.walk(chain)
        if isinstance(part, ast.Call) and part.args
    )


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, including its docstring."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> int:
    """Print all violations. Returns 1 when there are any."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [
        line
        for path in files
        if "versions" not in path.parts  # Alembic's files
        for line in violations(path.read_text("utf-8"), path.relative_to(ROOT))
    ]
    print("\n".join(found) or "source rules: kept")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
