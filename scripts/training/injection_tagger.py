"""Teach the ear to mark speech at the grader: `config/injection_tagger.safetensors` out of `scripts/training/data`.

Low-rank updates of every layer of a small encoder and a head that marks each word twice: meant for the grader, telling
of work. What it is worth on the words of others, `scripts/evaluation/attacks.py` measures.
"""

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from safetensors.torch import save_file
from torch import nn
from transformers import AutoTokenizer, BertModel

from deployments.backends.assessor.injection_tagger import ENCODER, encode
from scripts.training.cases import Breath, breaths, digest
from serve_app.settings import Paths

TAUGHT = ("query", "key", "value", "dense")
"""Linear maps that are updated, by the last part of their names: all but the pooler's."""
RANK, SCALE = 16, 2
EPOCHS = 4
BATCH = 32
PEAK = 1e-3
"""Learning rate, after a warm-up over WARM_UP of the steps; it falls to FLOOR of it."""
WARM_UP, FLOOR = 0.06, 0.02
DROPOUT = 0.1
SEEDS = 2
"""Markers that learn apart, each from other first weights and examples; their mean hears more, and less wrongly."""
UNKNOWN = -1.0
console = Console()

TARGET = Paths().injection_tagger_file


class Taught(nn.Module):
    """A linear map with a low-rank update (LoRA, Hu et al. 2021), which starts as none."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The map of `states`, shape (..., in), to (..., out)."""
        added: torch.Tensor = self.linear(states) + SCALE * self.up(self.down(states))
        return added


class Marker(nn.Module):
    """The encoder with its updates and the head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder: Any = BertModel.from_pretrained(ENCODER.locate(), local_files_only=True).requires_grad_(
            requires_grad=False
        )
        self.head = nn.Linear(self.encoder.config.hidden_size, 2)
        self.dropout = nn.Dropout(DROPOUT)
        for name, module in list(self.encoder.encoder.named_modules()):
            if name.rpartition(".")[2] in TAUGHT:
                parent, _, last = name.rpartition(".")
                setattr(self.encoder.encoder.get_submodule(parent), last, Taught(module))

    def forward(self, read: Any) -> torch.Tensor:
        """Logits, shape (sentences, tokens, 2)."""
        states = self.encoder(**read).last_hidden_state
        logits: torch.Tensor = self.head(self.dropout(states))
        return logits.float()

    def learnt(self) -> dict[str, torch.Tensor]:
        """As `Ear` reads it."""
        taught = {name: module for name, module in self.encoder.named_modules() if isinstance(module, Taught)}
        kept = {"head.weight": self.head.weight, "head.bias": self.head.bias}
        for name, module in taught.items():
            kept |= {f"{name}.down": module.down.weight, f"{name}.up": SCALE * module.up.weight}
        return {name: tensor.detach() for name, tensor in kept.items()}


def taught(seed: int) -> Marker:
    """A marker that has learnt from all authors."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # noqa: S311 — the same order every time
    tokenizer, marker = AutoTokenizer.from_pretrained(ENCODER.locate(), local_files_only=True), Marker().train()
    learning = [parameter for parameter in marker.parameters() if parameter.requires_grad]
    steps = EPOCHS * math.ceil(len(breaths(0)) / BATCH)
    optimizer = torch.optim.AdamW(learning, lr=PEAK)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * steps)) * max(FLOOR, 1 - step / steps)
    )
    for epoch in range(EPOCHS):
        for batch in _batches(breaths(EPOCHS * seed + epoch), order):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = _loss(marker, tokenizer, batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            schedule.step()
        console.print(f"marker {seed + 1}, epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}", style="dim")
    return marker.eval()


def _batches(examples: Sequence[Breath], order: random.Random) -> list[list[Breath]]:
    """Of about equal length each, in any order."""
    by_length = sorted(examples, key=lambda breath: sum(len(part.words) for part in breath) + order.random() * 6)
    batches = [by_length[at : at + BATCH] for at in range(0, len(by_length), BATCH)]
    order.shuffle(batches)
    return batches


def _loss(marker: Marker, tokenizer: Any, batch: Sequence[Breath]) -> torch.Tensor:
    """Mean over the sentences of the mean binary cross-entropy over their words."""
    read = encode(tokenizer, [[word for part in breath for word in part.words] for breath in batch])
    wanted = torch.tensor([_wanted(breath, read.word_ids(at)) for at, breath in enumerate(batch)])
    known = (wanted != UNKNOWN).float()
    each = nn.functional.binary_cross_entropy_with_logits(marker(read), wanted.clamp(min=0), reduction="none")
    return ((each * known).sum(1) / known.sum(1).clamp(min=1)).mean()


def _wanted(breath: Breath, words: Sequence[int | None]) -> list[list[float]]:
    """Of each token what its word is."""
    marks = [
        [UNKNOWN if mark is None else float(mark) for mark in (part.injection, part.work)]
        for part in breath
        for _ in part.words
    ]
    return [[UNKNOWN, UNKNOWN] if word is None else marks[word] for word in words]


def mixed(markers: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of what markers have learnt, as one (model soup, Wortsman et al. 2022).

    The mean of products of low rank is one product whose factors stand side by side.
    """
    found = {}
    for name in markers[0]:
        each = [marker[name].float() for marker in markers]
        if name.endswith(".down"):
            found[name] = torch.cat(each, dim=0)
        elif name.endswith(".up"):
            found[name] = torch.cat(each, dim=1) / len(each)
        else:
            found[name] = torch.stack(each).mean(0)
    return {name: tensor.half().contiguous() for name, tensor in found.items()}


def main(out: Annotated[Path, typer.Option(help="File of the weights.")] = TARGET) -> None:
    """Learn the weights and write them."""
    save_file(mixed([taught(seed).learnt() for seed in range(SEEDS)]), out, {"learnt_from": digest()})
    console.print(f"{out.name}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
