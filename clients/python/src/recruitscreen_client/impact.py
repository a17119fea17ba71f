"""Selection rates and impact ratios by group, as New York City's Local Law 144 defines them. Nothing is sent.

The rule (6 RCNY § 5-301): a selection rate is the selected part of a category; a scoring rate is the part with a score
above the median of all; an impact ratio is a category's rate over that of the category with the highest one. Rates are
computed for each group column, e.g. sex and race/ethnicity, and for the combinations of all of them. People whose
category is unknown are counted apart. An auditor may leave a category below 2 % of the people out of the ratios.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

OUTCOMES = ("selected", "recommendation", "score")
"""Columns of results that are looked for, in this order."""
YES, NO = frozenset({"yes", "true", "1", "y", "selected"}), frozenset({"no", "false", "0", "n", "not selected"})
UNKNOWN = frozenset({"", "unknown", "n/a", "na", "not stated", "prefer not to say"})
SMALL = 0.02
CROSSED = " × "


class UnusableTable(Exception):
    """A table cannot be used. The message says why, for people."""


@dataclass(frozen=True, slots=True)
class Category:
    """One category of a group, e.g. "female" of "sex"."""

    category: str
    people: int
    selected: int
    """Who was selected; of scores: whose score is above the median."""
    share: float
    """Of the people whose category is known."""
    rate: float
    impact_ratio: float | None
    """None where nobody in any category was selected."""

    @property
    def is_small(self) -> bool:
        """Whether the rule lets an auditor leave it out."""
        return self.share < SMALL


@dataclass(frozen=True, slots=True)
class Group:
    """The categories of one column, or of the combinations of all columns."""

    name: str
    unknown: int
    categories: list[Category]


@dataclass(frozen=True, slots=True)
class Impact:
    """What the law asks to publish of one outcome."""

    outcome: str
    people: int
    median: float | None
    """Of scores: a score above it counts as selected."""
    groups: list[Group]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def impact(
    results: Path, groups: Path, *, id_column: str = "job_id", outcome: str | None = None, selected: Sequence[str] = ()
) -> Impact:
    """Compute the impact of an outcome by group from two CSV files that share `id_column`.

    `selected` are the values of a text outcome that count as selected; of a recommendation, "advance" by default.
    Raises `UnusableTable`.
    """
    rows, people = read_table(results, id_column), read_table(groups, id_column)
    columns = _group_columns(people, groups, id_column)
    outcome = outcome or next((name for name in OUTCOMES if name in rows[0]), None)
    if outcome is None or outcome not in rows[0]:
        raise UnusableTable(f"'{results}' has no column {outcome or ', '.join(OUTCOMES)}. Name one with --outcome.")
    counted = [row for row in rows if row[outcome].strip()]
    middle, chosen = _chosen(counted, outcome, selected or (["advance"] if outcome == "recommendation" else []))
    categories = {row[id_column]: [row[column].strip() for column in columns] for row in people}
    known = [categories.get(row[id_column], [""] * len(columns)) for row in counted]
    tables = [_group(name, [values[n] for values in known], chosen) for n, name in enumerate(columns)]
    if len(columns) > 1:
        tables.append(_group(CROSSED.join(columns), [_crossed(values) for values in known], chosen))
    return Impact(outcome, len(counted), middle, tables)


def read_table(path: Path, id_column: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a header; commas or semicolons. Raises `UnusableTable`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        semicolons = header.count(";") > header.count(",")
        rows = [
            {name: value or "" for name, value in row.items() if isinstance(name, str) and not isinstance(value, list)}
            for row in csv.DictReader(file, delimiter=";" if semicolons else ",")
        ]
    if not rows:
        raise UnusableTable(f"'{path}' has no rows below its header.")
    if id_column not in rows[0]:
        raise UnusableTable(f"'{path}' has no column '{id_column}'. Its columns: {', '.join(rows[0])}. Use --id.")
    one, times = Counter(row[id_column] for row in rows).most_common(1)[0]
    if times > 1:
        raise UnusableTable(
            f"'{path}' has '{one}' {times} times in column '{id_column}'. Keep one row for each person."
        )
    return rows


def _group_columns(people: list[dict[str, str]], path: Path, id_column: str) -> list[str]:
    columns = [name for name in people[0] if name != id_column]
    if not columns:
        raise UnusableTable(f"'{path}' has no group, only '{id_column}'. Add columns such as sex and race_ethnicity.")
    return columns


def _chosen(rows: list[dict[str, str]], outcome: str, selected: Sequence[str]) -> tuple[float | None, list[bool]]:
    """Who is selected, row by row, and the median that a score has to exceed."""
    values = [row[outcome].strip() for row in rows]
    wanted = {value.casefold() for value in selected}
    if wanted:
        if not wanted & {value.casefold() for value in values}:
            raise UnusableTable(f"Nobody has {' or '.join(selected)} in column '{outcome}'.")
        return None, [value.casefold() in wanted for value in values]
    if all(value.casefold() in YES | NO for value in values) and outcome == "selected":
        return None, [value.casefold() in YES for value in values]
    try:
        scores = [float(value.replace(",", ".")) for value in values]
    except ValueError:
        raise UnusableTable(
            f"Column '{outcome}' holds neither numbers nor yes and no. Name the values that count with --selected."
        ) from None
    if not scores:
        raise UnusableTable(f"Column '{outcome}' is empty.")
    middle = median(scores)
    return middle, [score > middle for score in scores]


def _crossed(values: Iterable[str]) -> str:
    """The combination of categories. Unknown where one of them is."""
    parts = list(values)
    return "" if any(_is_unknown(part) for part in parts) else CROSSED.join(parts)


def _group(name: str, of: Sequence[str], chosen: Sequence[bool]) -> Group:
    counts: dict[str, list[bool]] = {}
    for category, selected in zip(of, chosen, strict=True):
        if not _is_unknown(category):
            counts.setdefault(category, []).append(selected)
    known = sum(map(len, counts.values()))
    highest = max((sum(each) / len(each) for each in counts.values()), default=0.0)
    categories = [
        Category(
            category, len(each), sum(each), len(each) / known, sum(each) / len(each),
            sum(each) / len(each) / highest if highest else None,
        )
        for category, each in sorted(counts.items())
    ]  # fmt: skip
    return Group(name, len(of) - known, categories)


def _is_unknown(category: str) -> bool:
    return category.casefold() in UNKNOWN
