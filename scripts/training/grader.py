"""Trains the grader: `scripts/training/answers` to `config/grader.safetensors`.

First on all authors but a few, who then measure it: their roles, their words and their own competencies are unknown to
it. Then on all authors; the measured figures and the calibration are written beside these weights.
"""

import copy
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from safetensors.torch import save_file
from torch import nn
from transformers import AutoTokenizer, BertModel

from deployments.backends.assessor.grader import (
    LEVELS,
    WIDTH,
    Grader,
    GraderHead,
    anchor_texts,
    mean_states,
    read,
    read_anchors,
)
from deployments.backends.assessor.injection_tagger import ENCODER
from scripts.evaluation.assessment.agreement import agreement, best_temperature
from scripts.training.graded_answers import GradedAnswer, digest, read_graded_answers
from scripts.training.injection_tagger import SCALE, TRAINED_LAYERS, LowRankLinear
from serve_app.settings import Paths

TARGET = Paths().grader_file
FROZEN = 5
"""Layers of the encoder's six that stay as they are. What they make of a text is computed once, so a training takes
minutes."""
EPOCHS = 4
BATCH, TOGETHER = 16, 4
"""Answers of a batch; so many of them are about one competency, whose anchors are then read once."""
LEARNING_RATE = 1e-3
"""Highest rate. It rises over WARM_UP of the steps, then falls linearly to FLOOR of this rate."""
WARM_UP, FLOOR = 0.06, 0.02
LENGTH_NOISE = 300
"""Characters. Answers of a batch are of about equal length; more noise makes batches more alike."""
HELD_OUT = 3
"""Authors who measure."""
console = Console()


class LowerStates:
    """What the frozen layers make of answers and anchors, computed once per text: these layers never change."""

    def __init__(self) -> None:
        folder = ENCODER.locate()
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.encoder: Any = BertModel.from_pretrained(
            folder, local_files_only=True, attn_implementation="eager"
        ).requires_grad_(requires_grad=False)
        self._states: dict[tuple[str, str], torch.Tensor] = {}

    def of_answer(self, answer: GradedAnswer) -> torch.Tensor:
        """Return states of an answer's tokens, shape (tokens, width)."""
        asked = (answer.competency.name, answer.question)
        return self._of(f"{asked}", answer.text, lambda: read(self._tokenizer, [asked], [answer.text]))

    def of_anchor(self, text: str) -> torch.Tensor:
        """Return states of an anchor's tokens, shape (tokens, width)."""
        return self._of("", text, lambda: read_anchors(self._tokenizer, [text]))

    @torch.inference_mode()
    def _of(self, kind: str, text: str, tokenize: Callable[[], Any]) -> torch.Tensor:
        if (kind, text) not in self._states:
            tokens = tokenize()
            states = self.encoder.embeddings(input_ids=tokens["input_ids"], token_type_ids=tokens["token_type_ids"])
            states = through(self.encoder.encoder.layer[:FROZEN], states, tokens["attention_mask"])
            self._states[kind, text] = states[0].half()
        return self._states[kind, text].float()


def through(layers: Iterable[Any], states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return what encoder layers make of `states`, shape (texts, tokens, width)."""
    hidden = (1 - mask.float())[:, None, None, :] * -1e4
    for layer in layers:
        output = layer(states, hidden)
        states = output[0] if isinstance(output, tuple) else output
    return states


class GraderModel(nn.Module):
    """The upper layers of the encoder with their updates, and the head."""

    def __init__(self, lower: LowerStates) -> None:
        super().__init__()
        self.lower = lower
        self.layers = copy.deepcopy(lower.encoder.encoder.layer[FROZEN:])
        self.head = GraderHead()
        for name, module in list(self.layers.named_modules()):
            if name.rpartition(".")[2] in TRAINED_LAYERS:
                parent, _, last = name.rpartition(".")
                setattr(self.layers.get_submodule(parent), last, LowRankLinear(module))

    def forward(self, answers: Sequence[GradedAnswer]) -> torch.Tensor:
        """Return logits, shape (answers, 4)."""
        rubrics = list({anchor_texts(answer.competency): None for answer in answers})
        states, mask = padded([self.lower.of_answer(answer) for answer in answers])
        anchors, anchor_mask = padded([self.lower.of_anchor(text) for texts in rubrics for text in texts])
        vectors = mean_states(through(self.layers, anchors, anchor_mask), anchor_mask).view(-1, len(LEVELS), WIDTH)
        which = torch.tensor([rubrics.index(anchor_texts(answer.competency)) for answer in answers])
        logits: torch.Tensor = self.head(through(self.layers, states, mask), mask, vectors[which])[0]
        return logits.float()

    def trained_tensors(self) -> dict[str, torch.Tensor]:
        """Return the trained weights under the names that `Grader` reads, in float16."""
        tensors = {f"head.{name}": tensor for name, tensor in self.head.state_dict().items()}
        for name, module in self.layers.named_modules():
            if isinstance(module, LowRankLinear):
                number, _, rest = name.partition(".")
                layer = f"encoder.layer.{FROZEN + int(number)}.{rest}"
                tensors |= {f"{layer}.down": module.down.weight, f"{layer}.up": SCALE * module.up.weight}
        return {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}


def padded(texts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return states of several texts, shape (texts, tokens, width), and their mask."""
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(text), dtype=torch.long) for text in texts], batch_first=True)
    return nn.utils.rnn.pad_sequence(list(texts), batch_first=True), mask


def train(answers: Sequence[GradedAnswer], lower: LowerStates, seed: int = 0) -> GraderModel:
    """Train on these answers."""
    torch.manual_seed(seed)
    order = random.Random(seed)  # noqa: S311 — reproducible, not secret
    model = GraderModel(lower).train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    steps = EPOCHS * math.ceil(len(answers) / BATCH)
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (WARM_UP * steps)) * max(FLOOR, 1 - step / steps)
    )
    for epoch in range(EPOCHS):
        losses = []
        for batch in _batches(answers, order):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(batch)
            targets = torch.tensor([[float(answer.level >= level) for level in LEVELS] for answer in batch])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        console.print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}", style="dim")
    return model.eval()


def _batches(answers: Sequence[GradedAnswer], order: random.Random) -> list[list[GradedAnswer]]:
    """Return batches of answers of about equal length, TOGETHER of them to one competency, in random order."""

    def by_competency(answer: GradedAnswer) -> str:
        return anchor_texts(answer.competency)[0]

    few: list[list[GradedAnswer]] = []
    for _, group in groupby(sorted(answers, key=by_competency), by_competency):
        by_length = sorted(group, key=lambda answer: len(answer.answer) + order.random() * LENGTH_NOISE)
        few += [by_length[start : start + TOGETHER] for start in range(0, len(by_length), TOGETHER)]
    few.sort(key=lambda some: max(len(answer.answer) for answer in some) + order.random() * LENGTH_NOISE)
    step = BATCH // TOGETHER
    batches = [list(chain(*few[start : start + step])) for start in range(0, len(few), step)]
    order.shuffle(batches)
    return batches


def save(model: GraderModel, file: Path, temperature: float, fitness: dict[str, Any]) -> None:
    """Write the weights with their calibration and the figures that were measured."""
    metadata = {"temperature": str(temperature), "fitness": json.dumps(fitness), "learnt_from": digest()}
    save_file(model.trained_tensors(), file, metadata)


def measure(model: GraderModel, answers: Sequence[GradedAnswer]) -> tuple[float, dict[str, Any]]:
    """Return the temperature that calibrates a model, and its figures, on answers that it has not seen."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "grader.safetensors"
        save(model, file, 1.0, {})
        grader = Grader(name="grader", file=file)
        grader.load(lambda *_: None)
    chances = [grader.grade(one.competency, one.question, [one.text]).at_least for one in answers]
    levels = [answer.level for answer in answers]
    temperature = best_temperature(chances, levels)
    figures = {}
    for name, of_product in (("product", True), ("other", False)):
        kept = [at for at, answer in enumerate(answers) if answer.of_product == of_product]
        figures[name] = agreement(
            [levels[at] for at in kept],
            [1 + sum(chances[at]) for at in kept],
            [len(answers[at].text.split()) for at in kept],
            [answers[at].competency.slug for at in kept],
        )
    return temperature, figures


def fitness_of(figures: dict[str, Any], authors: int) -> dict[str, Any]:
    """Return what a result tells of the grader (`Fitness`)."""
    product, other = figures["product"], figures["other"]
    return {
        "answers": product["answers"] + other["answers"],
        "authors": authors,
        "spearman": product["spearman"],
        "kappa": product["qwk"],
        "spearman_other_rubrics": other["spearman"],
    }


def main(
    *,
    out: Annotated[Path, typer.Option(help="File of the weights.")] = TARGET,
    figures_file: Annotated[Path | None, typer.Option(help="File for the figures of the held-out authors.")] = None,
    held_out: Annotated[int, typer.Option(help="Authors who measure.")] = HELD_OUT,
) -> None:
    """Train the grader, measure it on authors held out, and write the weights of a second training on all authors."""
    answers = read_graded_answers()
    authors = sorted({answer.author for answer in answers})
    unseen = set(authors[-held_out:])
    known, new = ([one for one in answers if (one.author in unseen) == held] for held in (False, True))
    lower = LowerStates()
    temperature, figures = measure(train(known, lower), new)
    console.print_json(json.dumps(figures))
    if figures_file:
        figures_file.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    save(train(answers, lower), out, temperature, fitness_of(figures, len(unseen)))
    console.print(f"{out.name}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
