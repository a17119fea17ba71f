"""The figures of the assessment as Markdown."""

from typing import Any

from scripts.evaluation.assessment.attack_cases import PLACES
from scripts.evaluation.assessment.interview_answers import answers_table


def table(figures: dict[str, Any]) -> str:
    """Return the page `docs/benchmarks/assessment.md`."""
    alone, tokens = figures["model_alone"], figures["tokens_per_assessment"]
    drift = "\n".join(f"| {name} | {value} |" for name, value in figures["fairness_drift"].items())
    return f"""# Assessment quality, {figures["model"]}{" (quick subset)" if figures["quick"] else ""}

Made by `scripts/eval` (`scripts/evaluation/assessment`).

{answers_table(figures) if "spearman_interview_answers" in figures else ""}
Does it rank? {figures["answers"]} short answers with two human grades each (Mohler).

| judged by | Spearman | QWK |
| --- | --- | --- |
| expected points named by the rubric (here: the reference answer) | {figures["spearman"]} | {figures["qwk"]} |
| the same, on the half of the questions held out | {figures["spearman_held_out"]} | |
| one grader against the other | {figures["human_spearman"]} | {figures["human_qwk"]} |
| baseline: length of the answer | {figures["spearman_length"]} | |
| baseline: embedding similarity (MiniLM) to the reference answer | {figures["spearman_similarity"]} | |
| baseline: TF-IDF similarity to the reference answer | {figures["spearman_tfidf"]} | |
| the model alone, on {alone["answers"]} of the answers | {alone["spearman"]} | {alone["qwk"]} |
| expected points, on the same {alone["answers"]} | {alone["spearman_of_points_on_these"]} | |
| baseline: length, on the same {alone["answers"]} | {alone["spearman_length_on_these"]} | |
| baseline: embedding similarity, on the same {alone["answers"]} | {alone["spearman_similarity_on_these"]} | |

With points the judge {_compare(figures["spearman"], figures["spearman_length"])} the length of the answer and
{_compare(figures["spearman"], figures["spearman_similarity"])} the embeddings. Without points, the model alone
{_compare(alone["spearman"], alone["spearman_length_on_these"])} length and
{_compare(alone["spearman"], alone["spearman_similarity_on_these"])} the embeddings, which use the reference answer.
The bundled rubric names no points, because they depend on the job: its scores come from the model alone. For real
decisions, use a rubric with points or a larger model. The constants of the points were chosen on all of these answers.

{_attacks(figures)}
Is the same answer scored alike? Mean absolute change of a score on the bundled interview, by way of saying it:

| variant | drift |
| --- | --- |
{drift}

One assessment of the bundled interview took {figures["seconds_per_assessment"]} s here, with {tokens["calls"]} calls of
the model and {tokens["prompt_tokens"]} prompt tokens, {tokens["cached_tokens"]} of them from the cache.
"""


def _attacks(figures: dict[str, Any]) -> str:
    attacks = "\n".join(_row(one) for one in figures["sets"] if one["attacks"])
    honest = "\n".join(_row(one) for one in figures["sets"] if not one["attacks"])
    tried, raised, moved = (figures[f"injections_{name}"] for name in ("tried", "succeeded", "moved_a_score"))
    return f"""Can speech change the score? {raised} of {tried} spoken attacks raised one, each said in
{len(PLACES)} places; {moved} moved any score, up or down; {figures["injections_noticed"]} became a red flag.

| attacks | relation | sentences | flagged | as high | left out of judging | raised a score | moved a score |
| --- | --- | --- | --- | --- | --- | --- | --- |
{attacks}

What does the defence cost honest speech? The look-alikes were written to sound like attacks:

| honest sentences | relation | sentences | flagged | as high | left out of judging |
| --- | --- | --- | --- | --- | --- |
{honest}

`looked at`: inspected while the defence was developed. `blind`: not inspected. No sentence is training data.
"""


def _row(one: dict[str, Any]) -> str:
    cells = [one["name"], one["relation"], one["sentences"], one["flagged"], one["flagged_high"], one["left_out"]]
    if one["attacks"]:
        cells += [len(one[name]) if name in one else "" for name in ("raised", "moved")]
    return f"| {' | '.join(map(str, cells))} |"


def _compare(value: float, baseline: float) -> str:
    return f"beats (by {value - baseline:.2f})" if value > baseline else f"does not beat (by {baseline - value:.2f})"
