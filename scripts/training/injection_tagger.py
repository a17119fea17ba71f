"""Trains the injection tagger: `scripts/training/data` to `config/injection_tagger.safetensors`.

Low-rank updates of every layer of a small encoder, and a head with two outputs per word: addresses the assessor, tells
of work (`WordTags`). With `--start`, the training continues from a file of weights: a sixth of the time, enough where
sentences were added. `scripts/evaluation/assessment/attacks.py` measures it on the sentences of other authors.
"""

import math
import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoTokenizer, BertModel

from deployments.backends.assessor.injection_tagger import ENCODER, encode
from scripts.training.cases import Example, digest, training_examples
from serve_app.settings import Paths

TARGET = Paths().injection_tagger_file
TRAINED_LAYERS = ("query", "key", "value", "dense")
"""Linear maps with updates, by the last part of their names: all but the pooler's."""
RANK, SCALE = 16, 2
EPOCHS = 4
BATCH = 32
LEARNING_RATE = 1e-3
"""Highest rate. It rises over WARM_UP of the steps, then falls linearly to FLOOR of this rate."""
WARM_UP, FLOOR = 0.06, 0.02
DROPOUT = 0.1
SEEDS = 2
"""Models to train, each with other initial weights and examples. Their mean finds more attacks, with fewer false alarms
than each."""
CONTINUED_EPOCHS, CONTINUED_RATE = 1, 5e-4
"""Epochs and highest rate of a training that continues from trained weights. One model, no mean."""
UNKNOWN = -1.0
"""Target where a label is unknown; it adds nothing to the loss."""
console = Console()


class LowRankLinear(nn.Module):
    """A frozen linear map with a trainable low-rank update (LoRA, Hu et al. 2021), zero at the start."""

    def __init__(self, linear: nn.Linear, rank: int = RANK) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map `states`, shape (..., in), to (..., out)."""
        mapped: torch.Tensor = self.linear(states) + SCALE * self.up(self.down(states))
        return mapped


class TaggerModel(nn.Module):
    """The encoder with its updates, and the head. Starts from trained weights, or else from the encoder's own."""

    def __init__(self, start: Mapping[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        self.encoder: Any = BertModel.from_pretrained(ENCODER.locate(), local_files_only=True).requires_grad_(
            requires_grad=False
        )
        self.head = nn.Linear(self.encoder.config.hidden_size, 2)
        self.dropout = nn.Dropout(DROPOUT)
        for name, module in list(self.encoder.encoder.named_modules()):
            if name.rpartition(".")[2] in TRAINED_LAYERS:
                parent, _, last = name.rpartition(".")
                rank = start[f"encoder.{name}.down"].shape[0] if start else RANK
                setattr(self.encoder.encoder.get_submodule(parent), last, LowRankLinear(module, rank))
        if start:
            self._copy(start)

    def forward(self, tokens: Any) -> torch.Tensor:
        """Return logits, shape (sentences, tokens, 2)."""
        states = self.encoder(**tokens).last_hidden_state
        logits: torch.Tensor = self.head(self.dropout(states))
        return logits.float()

    @torch.no_grad()
    def _copy(self, start: Mapping[str, torch.Tensor]) -> None:
        self.head.weight.copy_(start["head.weight"])
        self.head.bias.copy_(start["head.bias"])
        for name, module in self.encoder.named_modules():
            if isinstance(module, LowRankLinear):
                module.down.weight.copy_(start[f"{name}.down"])
                module.up.weight.copy_(start[f"{name}.up"].float() / SCALE)

    def trained_tensors(self) -> dict[str, torch.Tensor]:
        """Return the trained weights under the names that `InjectionTagger` reads."""
        layers = {name: module for name, module in self.encoder.named_modules() if isinstance(module, LowRankLinear)}
        tensors = {"head.weight": self.head.weight, "head.bias": self.head.bias}
        for name, module in layers.items():
            tensors |= {f"{name}.down": module.down.weight, f"{name}.up": SCALE * module.up.weight}
        return {name: tensor.detach() for name, tensor in tensors.items()}


def train(seed: int, start: Mapping[str, torch.Tensor] | None = None, twice: Collection[str] = ()) -> TaggerModel:
    """Train one model on the sentences of all authors, from the beginning or from trained weights."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # noqa: S311 — reproducible, not secret
    epochs, rate = (CONTINUED_EPOCHS, CONTINUED_RATE) if start else (EPOCHS, LEARNING_RATE)
    tokenizer, model = (
        AutoTokenizer.from_pretrained(ENCODER.locate(), local_files_only=True),
        TaggerModel(start).train(),
    )
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    steps = epochs * math.ceil(len(training_examples(0, twice)) / BATCH)
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * steps)) * max(FLOOR, 1 - step / steps)
    )
    for epoch in range(epochs):
        for batch in _batches(training_examples(epochs * seed + epoch, twice), order):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = _loss(model, tokenizer, batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
        console.print(f"model {seed + 1}, epoch {epoch + 1} of {epochs}: loss {loss.item():.3f}", style="dim")
    return model.eval()


def _batches(examples: Sequence[Example], order: random.Random) -> list[list[Example]]:
    """Return batches of examples of about equal length, in random order."""
    by_length = sorted(examples, key=lambda example: sum(len(part.words) for part in example) + order.random() * 6)
    batches = [by_length[start : start + BATCH] for start in range(0, len(by_length), BATCH)]
    order.shuffle(batches)
    return batches


def _loss(model: TaggerModel, tokenizer: Any, batch: Sequence[Example]) -> torch.Tensor:
    """Return the mean over the sentences of the mean binary cross-entropy over their words."""
    tokens = encode(tokenizer, [[word for part in example for word in part.words] for example in batch])
    targets = torch.tensor([_targets(example, tokens.word_ids(number)) for number, example in enumerate(batch)])
    known = (targets != UNKNOWN).float()
    losses = nn.functional.binary_cross_entropy_with_logits(model(tokens), targets.clamp(min=0), reduction="none")
    return ((losses * known).sum(1) / known.sum(1).clamp(min=1)).mean()


def _targets(example: Example, word_ids: Sequence[int | None]) -> list[list[float]]:
    """Return the labels of each token's word."""
    labels = [
        [UNKNOWN if label is None else float(label) for label in (part.injection, part.work)]
        for part in example
        for _ in part.words
    ]
    return [[UNKNOWN, UNKNOWN] if word is None else labels[word] for word in word_ids]


def average(models: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of several models' weights as one (model soup, Wortsman et al. 2022), in float16.

    The mean of products of low rank is one product whose factors stand side by side.
    """
    averaged = {}
    for name in models[0]:
        tensors = [model[name].float() for model in models]
        if name.endswith(".down"):
            averaged[name] = torch.cat(tensors, dim=0)
        elif name.endswith(".up"):
            averaged[name] = torch.cat(tensors, dim=1) / len(tensors)
        else:
            averaged[name] = torch.stack(tensors).mean(0)
    return {name: tensor.half().contiguous() for name, tensor in averaged.items()}


def main(
    out: Annotated[Path, typer.Option(help="File of the weights.")] = TARGET,
    start: Annotated[Path | None, typer.Option(help="File of weights to continue from.")] = None,
    twice: Annotated[list[str] | None, typer.Option(help="Author, one of `data`, whose sentences count twice.")] = None,
) -> None:
    """Train the injection tagger and write its weights."""
    weights = load_file(start) if start else None
    models = [train(seed, weights, twice or ()).trained_tensors() for seed in range(1 if start else SEEDS)]
    save_file(average(models), out, {"learnt_from": digest()})
    console.print(f"{out.name}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
