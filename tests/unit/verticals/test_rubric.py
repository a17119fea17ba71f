"""A caller's rubric: validation, version, protected attributes."""

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.pipeline.assessment.protected_attributes import protected_attribute
from serve_app.verticals.catalog import Catalog
from serve_app.verticals.rubric import CallerRubric

OWN: dict[str, Any] = {
    "competencies": [
        {
            "slug": "sql",
            "name": "SQL",
            "description": "Writes queries and explains their plans.",
            "anchors": {str(level): f"The answer is at level {level}." for level in range(1, 6)},
            "points": ["An index helps when few rows match."],
        }
    ]
}
ASSESSMENT = Catalog.read(Path(__file__).parents[3] / "config/verticals").get("recruitscreen").assessment


def changed(**fields: Any) -> dict[str, Any]:
    """The rubric with other values for fields of its competency."""
    rubric = copy.deepcopy(OWN)
    rubric["competencies"][0] |= fields
    return rubric


def test_a_callers_rubric_takes_the_place_of_the_products() -> None:
    """The caller's competencies and points are used with the product's prompts."""
    rubric = ASSESSMENT.rubric(OWN)
    assert [c.slug for c in rubric.competencies] == ["sql"]
    assert rubric.competencies[0].points == ("An index helps when few rows match.",)
    assert set(rubric.competencies[0].anchors) == {1, 2, 3, 4, 5}
    assert rubric.prompt_version == ASSESSMENT.prompt_version


def test_the_version_is_the_callers_or_follows_from_the_content() -> None:
    """Without a version, equal content has an equal version."""
    assert ASSESSMENT.rubric(OWN | {"version": "2026-3"}).version == "2026-3"
    first, again, other = (ASSESSMENT.rubric(r).version for r in (OWN, copy.deepcopy(OWN), changed(name="SQL 2")))
    assert first == again != other
    assert first.startswith("sha256-")


def test_what_came_in_survives_being_stored() -> None:
    """Stored JSON, where every key is a string, gives the same rubric."""
    stored = CallerRubric.model_validate(OWN).model_dump(mode="json")
    assert ASSESSMENT.rubric(stored) == ASSESSMENT.rubric(OWN)


@pytest.mark.parametrize(
    ("rubric", "field", "words"),
    [
        ({}, "competencies", "required"),
        ({"competencies": []}, "competencies", "at least 1"),
        ({"competencies": OWN["competencies"] * 2}, "competencies", "unique. 'sql' is used more than once"),
        ({"competencies": OWN["competencies"] * 13}, "competencies", "at most 12"),
        (OWN | {"version": "a b"}, "version", "pattern"),
        (OWN | {"weights": {}}, "weights", "not permitted"),
        (changed(slug="S Q L"), "slug", "pattern"),
        (changed(name=""), "name", "at least 1"),
        (changed(name="x" * 81), "name", "at most 80"),
        (changed(anchors={"1": "a", "5": "b"}), "anchors", "1, 2, 3, 4 and 5"),
        (changed(anchors=["a"]), "anchors", "dictionary"),
        (changed(points=["x" * 401]), "points", "at most 400"),
        (changed(tone=3), "tone", "not permitted"),
    ],
)
def test_a_rubric_that_is_wrong_is_refused_by_field(rubric: Any, field: str, words: str) -> None:
    """The error names the field and the mistake."""
    with pytest.raises(ValidationError) as caught:
        CallerRubric.model_validate(rubric)
    first = caught.value.errors()[0]
    assert field in map(str, first["loc"])
    assert words in first["msg"]


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"slug": "english_fluency"}, "fluency"),
        ({"name": "Neutral accent"}, "accent"),
        ({"description": "Speaks like a native speaker."}, "fluency"),
        ({"description": "Sounds very confident on the phone."}, "emotion"),
        ({"points": ["Shows enthusiasm."]}, "emotion"),
        ({"cues": ["nationality"]}, "origin"),
        ({"probe": "How old are you, what is your age?"}, "age"),
        ({"anchors": dict.fromkeys(range(1, 6), "A young and dynamic answer.")}, "age"),
        ({"description": "Whether the candidate is male."}, "gender"),
        ({"description": "Country of origin."}, "origin"),
        ({"cues": ["accent"]}, "accent"),
        ({"description": "Designs a UI and speaks with no strong accent."}, "accent"),
        ({"description": "Designs accent colours. Has a neutral accent."}, "accent"),
        ({"points": ["Fluent in SQL and in English."]}, "fluency"),
        ({"description": "Shows enthusiasm when talking to customers."}, "emotion"),
        ({"description": "The candidate's age fits the customers."}, "age"),
        ({"description": "Works for our users; a female candidate."}, "gender"),
        ({"description": "The applicant's nationality, as the law allows."}, "origin"),
        ({"description": "Is free of any illness, so that patients are safe."}, "health"),
    ],
)
def test_a_rubric_that_asks_for_the_person_is_refused(fields: dict[str, Any], subject: str) -> None:
    """A protected attribute is refused in any field. The error names it, and says what to write instead."""
    with pytest.raises(ValidationError, match=f"asks for {subject} .* say so in the same sentence, as in"):
        CallerRubric.model_validate(changed(**fields))


def test_what_a_refusal_suggests_is_accepted() -> None:
    """The expression that a refusal gives as an example passes by itself."""
    named = [protected_attribute(word) for word in ("accent", "fluent", "moods", "age", "male", "origin", "illness")]
    assert [protected_attribute(one.example) for one in named if one] == [None] * 7


@pytest.mark.parametrize(
    "text",
    [
        "Explains race conditions and how locks prevent them.",
        "Knows how the origin server and the cache share the work.",
        "Manages packages and images, and the language of the storage page.",
        "Says how the age of the cache record is measured.",
        "Presents a result to managers and average users.",
        "Chooses accent colours in a UI that meet the contrast rules.",
        "ui_accent_colours",
        "Uses one strong accent color for the main button.",
        "Keeps accents on letters when names are exported as Unicode.",
        "Explains how the dialects of SQL differ between databases.",
        "Designs a fluent interface for a query builder.",
        "Is fluent in Python.",
        "Recognises the emotions of residents and says what they did.",
        "Makes a mood board for the client.",
        "Plans the care of elderly patients.",
        "Tells how they teach young children to read.",
        "Chases aged receivables.",
        "Crimps male and female connectors.",
        "Handles a report of sexual harassment.",
        "Finds the origin of a fault in a production line.",
        "Prepares certificates of origin for customs.",
        "Works on immigration law cases.",
        "Makes a page usable for people with disabilities through accessible markup.",
    ],
)
def test_words_of_the_work_are_not_taken_for_the_person(text: str) -> None:
    """A race condition is not an origin."""
    assert protected_attribute(text) is None
