"""Loads language models for transformers from a folder or a GGUF file.

A GGUF file is converted once, to bfloat16 safetensors and a tokenizer in a cache folder. SmolLM2-135M loads from its
GGUF in 15 s on two cores, most of it the tokenizer, and from the folder in 0.16 s. The logits are bit-identical.
"""

import logging
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from deployments.weights import sha256
from serve_app.settings import Paths

log = logging.getLogger(__name__)


def unpacked_folder(gguf: Path, cache: Path | None = None) -> Path | None:
    """Folder that `gguf` is unpacked into; unpacks it on the first call. None where the folder cannot be written.

    `cache` is the parent folder, by default `Paths.gguf_cache_dir`; it may be deleted at any time.

    The name holds the digest of the file and the versions of the libraries, so an upgrade of either unpacks anew.
    """
    cache = cache or Paths().gguf_cache_dir
    versions = "-".join(metadata.version(library) for library in ("transformers", "gguf"))
    folder = cache / f"{gguf.stem}-{sha256(gguf)[:16]}-{versions}"
    if not folder.exists():
        try:
            _unpack(gguf, folder)
        except OSError as error:
            log.warning("%s loads slowly: unpacked files cannot be kept in %s: %s", gguf.name, cache, error)
            return None
    return folder


def load_model(path: Path, device: str) -> tuple[Any, Any]:
    """Tokenizer and causal language model of a folder, or of one GGUF file, in memory and ready to run."""
    folder = unpacked_folder(path) if path.suffix == ".gguf" else path
    if folder is None:
        tokenizer, model = load_gguf(path, device)
    else:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.bfloat16, device_map=device
        )
    model.requires_grad_(requires_grad=False)  # from_pretrained has set evaluation mode
    model(torch.zeros((1, 1), dtype=torch.long, device=device))  # mapped weights are only now in memory
    return tokenizer, model


def load_gguf(gguf: Path, device: str) -> tuple[Any, Any]:
    """Tokenizer and model out of the file itself."""
    # Dequantized while loading. Otherwise every pass would dequantize all weights again: a pass over five short
    # options took longer than one over the whole prompt.
    options: dict[str, Any] = {"local_files_only": True, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **options)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=torch.bfloat16, device_map=device,
        quantization_config=GgufConfig(dequantize=True), **options,
    )  # fmt: skip
    return tokenizer, model


def _unpack(gguf: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    half_done = Path(tempfile.mkdtemp(dir=folder.parent, prefix="unpacking-"))
    try:
        for part in load_gguf(gguf, "cpu"):
            part.save_pretrained(half_done)
        if not folder.exists():  # else another process was faster
            half_done.rename(folder)  # whole or not at all: a process may die at any moment
    finally:
        shutil.rmtree(half_done, ignore_errors=True)
