"""Prints what each limit for a red flag costs and finds, on the sentences in `scripts/training/validation`.

No tagger is trained on these authors, and no figure is reported of them: `injection.policy.FLAGGED` is chosen here.
"""

from collections.abc import Sequence

from rich.console import Console

from deployments.backends.assessor.injection_tagger import InjectionTagger
from scripts.training.cases import DATA
from scripts.training.sentences import read_lines, split_marked
from serve_app.pipeline.assessment.injection.policy import InjectionPolicy
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.pipeline.assessment.text import split_utterances
from serve_app.pipeline.types import Utterance

VALIDATION = DATA.parent / "validation"
LIMITS = (0.5, 0.7, 0.8, 0.9, 0.93, 0.95, 0.97)
console = Console()


class _Tagger:
    def __init__(self) -> None:
        self._tagger = InjectionTagger()
        self._tagger.load()

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        """See `WordTagger.tag_words`."""
        return self._tagger.tag_words(sentences, lambda: None)


def highest_tags(texts: Sequence[str], tagger: _Tagger) -> list[float]:
    """Return, for each text, the highest probability of injection of a part of it."""
    utterances = [Utterance(0, 5, "candidate", text) for text in texts]
    conversation = split_utterances(utterances, "candidate", InjectionPolicy(), tagger)
    return [max(one.verdict.tags.injection for one in utterance.sentences) for utterance in conversation]


def main() -> None:
    """Print the share of sentences from each limit on, by author and kind."""
    tagger = _Tagger()
    for path in sorted(VALIDATION.rglob("*.txt")):
        texts = [" ".join(piece for piece, _ in split_marked(line)) for line in read_lines(path)]
        tags = highest_tags(texts, tagger)
        counts = "  ".join(f"{limit}: {sum(tag >= limit for tag in tags)}" for limit in LIMITS)
        console.print(f"{path.parent.name} {path.stem}, {len(texts)} sentences:  {counts}")


if __name__ == "__main__":
    main()
