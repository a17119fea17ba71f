"""The grader's training data."""

from collections import Counter

from scripts.training.graded_answers import product_competencies, read_graded_answers

ANSWERS = read_graded_answers()
AUTHORS = {answer.author for answer in ANSWERS}


def test_every_author_wrote_for_the_product_and_for_five_competencies_of_their_own() -> None:
    """No two authors share a competency of their own."""
    for author in AUTHORS:
        own = {answer.competency.slug for answer in ANSWERS if answer.author == author}
        assert set(product_competencies()) < own
        assert len(own) == 10


def test_levels_are_as_frequent_in_every_competency() -> None:
    """Five answers a level, and at level 1 two more that answer another question."""
    counts = Counter((answer.author, answer.competency.slug, answer.level) for answer in ANSWERS)
    assert all(count == (7 if level == 1 else 5) for (_, _, level), count in counts.items())
    assert len(counts) == len(AUTHORS) * 10 * 5


def test_no_style_and_no_length_tells_the_level() -> None:
    """Mean lengths of the levels differ by a fifth at most, and each style has answers at each level."""
    words = {
        level: [len(answer.answer.split()) for answer in ANSWERS if answer.level == level] for level in range(1, 6)
    }
    means = [sum(lengths) / len(lengths) for lengths in words.values()]
    assert max(means) < 1.2 * min(means)
    for style in {answer.style for answer in ANSWERS} - {"off_topic"}:
        assert len({answer.level for answer in ANSWERS if answer.style == style}) == 5
