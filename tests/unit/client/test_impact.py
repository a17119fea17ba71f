"""`recruitscreen impact-ratio` and `results`: computed on the caller's machine."""

import csv
import io
import json
from pathlib import Path

import pytest
from recruitscreen_client.impact import impact

from tests.unit.client.test_cli import DONE, run
from tests.unit.client.test_client import ok

PEOPLE = [
    # id, sex, race_ethnicity, recommendation, score
    ("1", "female", "Hispanic", "advance", "4"),
    ("2", "female", "Hispanic", "hold", "2"),
    ("3", "female", "White", "advance", "5"),
    ("4", "female", "White", "reject", "1"),
    ("5", "male", "White", "advance", "3.5"),
    ("6", "male", "White", "advance", "3"),
    ("7", "male", "Hispanic", "advance", "4.5"),
    ("8", "male", "Hispanic", "hold", "2"),
    ("9", "", "White", "advance", "4"),
    ("10", "Unknown", "", "hold", "1"),
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Results and groups of ten people; one more has no result, and one result has no recommendation."""
    results, groups = tmp_path / "results.csv", tmp_path / "groups.csv"
    rows = [f"{one},{recommendation},{score}" for one, _, _, recommendation, score in PEOPLE]
    results.write_text("job_id,recommendation,score\n" + "\n".join([*rows, "11,,"]) + "\n", "utf-8")
    rows = [f"{one};{sex};{race}" for one, sex, race, _, _ in PEOPLE]
    groups.write_text("\ufeffjob_id;sex;race_ethnicity\n" + "\n".join([*rows, "12;male;White"]) + "\n", "utf-8")
    return str(results), str(groups)


def test_rates_and_ratios_are_those_computed_by_hand(files: tuple[str, str]) -> None:
    """Sex, race/ethnicity and their combinations; unknown categories are counted apart."""
    done, server = run("impact-ratio", *files, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["outcome"], found["people"], found["median"]) == ("recommendation", 10, None)
    by_name = {group["name"]: group for group in found["groups"]}
    sex = {one["category"]: one for one in by_name["sex"]["categories"]}
    assert by_name["sex"]["unknown"] == 2
    assert (sex["female"]["people"], sex["female"]["selected"], sex["female"]["rate"]) == (4, 2, 0.5)
    assert (sex["male"]["rate"], sex["male"]["impact_ratio"]) == (0.75, 1.0)
    assert sex["female"]["impact_ratio"] == pytest.approx(0.5 / 0.75)
    race = {one["category"]: one["rate"] for one in by_name["race_ethnicity"]["categories"]}
    assert race == {"Hispanic": 0.5, "White": 0.8}
    crossed = {one["category"]: one["impact_ratio"] for one in by_name["sex × race_ethnicity"]["categories"]}
    assert crossed == {"female × Hispanic": 0.5, "female × White": 0.5, "male × Hispanic": 0.5, "male × White": 1.0}
    assert server.requests == []


def test_a_score_counts_when_it_is_above_the_median_of_all(files: tuple[str, str]) -> None:
    """The scoring rate of the rule: the median is that of everybody, also of those whose category is unknown."""
    found = impact(Path(files[0]), Path(files[1]), outcome="score")
    assert found.median == 3.25
    rates = {one.category: one.rate for one in found.groups[0].categories}
    assert rates == {"female": 0.5, "male": 0.5}


def test_no_selection_at_all_has_no_ratio(files: tuple[str, str], tmp_path: Path) -> None:
    """A division by a rate of 0 is not a number."""
    results = tmp_path / "none.csv"
    results.write_text("job_id,selected\n1,no\n5,no\n", "utf-8")
    found = impact(results, Path(files[1]))
    assert {one.impact_ratio for group in found.groups for one in group.categories} == {None}


def test_small_categories_are_marked_and_shown(tmp_path: Path) -> None:
    """A category below 2 % has its numbers and a mark; the auditor decides."""
    results, groups = tmp_path / "r.csv", tmp_path / "g.csv"
    results.write_text("job_id,selected\n" + "".join(f"{n},{n % 2}\n" for n in range(100)), "utf-8")
    groups.write_text("job_id,sex\n" + "".join(f"{n},{'x' if n == 7 else 'male'}\n" for n in range(100)), "utf-8")
    done, _ = run("impact-ratio", str(results), str(groups))
    assert "x (under 2 %)" in done.output
    assert "1.000" in done.output


@pytest.mark.parametrize(
    ("results", "groups", "said"),
    [
        ("a,selected\n1,yes\n", "job_id,sex\n1,male\n", "no column 'job_id'"),
        ("job_id,grade\n1,yes\n", "job_id,sex\n1,male\n", "--outcome"),
        ("job_id,score\n1,good\n", "job_id,sex\n1,male\n", "--selected"),
        ("job_id,recommendation\n1,hold\n", "job_id,sex\n1,male\n", "Nobody has advance"),
        ("job_id,selected\n1,yes\n", "job_id\n1\n", "no group"),
        ("job_id,selected\n1,yes\n1,no\n", "job_id,sex\n1,male\n", "2 times"),
        ("job_id,selected\n", "job_id,sex\n1,male\n", "no rows"),
    ],
)
def test_an_unusable_table_is_refused_in_words(tmp_path: Path, results: str, groups: str, said: str) -> None:
    """Exit code 2 and what to do."""
    (tmp_path / "r.csv").write_text(results, "utf-8")
    (tmp_path / "g.csv").write_text(groups, "utf-8")
    done, _ = run("impact-ratio", str(tmp_path / "r.csv"), str(tmp_path / "g.csv"))
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_results_are_saved_as_the_table_that_impact_ratio_reads(tmp_path: Path) -> None:
    """A row for each completed job with its scores; texts are no formulas."""
    job = DONE | {"label": "=1+1", "file_name": "a.mp3", "role_title": "Nurse"}
    page = {"data": [job, job | {"deleted_at": "2026-01-02"}], "has_more": False, "next_cursor": None}
    out = tmp_path / "results.csv"
    done, server = run("results", "--csv", str(out), script=[ok(page), ok(job)])
    assert done.exit_code == 0, done.output
    (row,) = csv.DictReader(io.StringIO(out.read_text("utf-8")))
    assert row == {
        "job_id": job["job_id"], "label": "'=1+1", "file_name": "a.mp3", "role_title": "Nurse",
        "recommendation": "insufficient_evidence", "score_problem_solving": "4", "score_leadership": "",
    }  # fmt: skip
    assert "status=completed" in server.asked[0]
