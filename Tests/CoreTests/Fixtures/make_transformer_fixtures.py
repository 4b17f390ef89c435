#!/usr/bin/env python3
"""Writes what PyTorch computes of Transformers, for the tests of the core to compare with: transformers.h5, beside this script.

    python make_transformer_fixtures.py        needs PyTorch, h5py and NumPy

Encoder and decoder are layers of torch.nn.TransformerEncoderLayer and TransformerDecoderLayer over embeddings with sinusoidal
positions, in float64, from numbers that float32 has, for one chunk of pairs of unequal lengths. Groups, datasets and names are
those of make_pair_fixtures.py, but for the attributes: layers, heads, norm_first. What torch.nn keeps in one matrix of three
blocks is qkv of self-attention, and q and kv of attention to the source.
"""

import math
from pathlib import Path

import h5py
import numpy as np
import torch
from make_pair_fixtures import SOURCE_LENGTHS, TARGET_LENGTHS, VOCABULARY, tokens, write
from torch import nn

WIDTH, HEADS, LAYERS, UNITS = 8, 2, 2, 16


class Transformer(nn.Module):
    def __init__(self, norm_first):
        super().__init__()
        options = dict(dropout=0, activation="gelu", norm_first=norm_first)
        last = nn.LayerNorm if norm_first else lambda width: None
        self.source = nn.Embedding(VOCABULARY, WIDTH)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(WIDTH, HEADS, UNITS, **options), LAYERS, last(WIDTH), enable_nested_tensor=False)
        self.target = nn.Embedding(VOCABULARY, WIDTH)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, HEADS, UNITS, **options), LAYERS, last(WIDTH))
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, source, source_mask, inputs):
        hidden = ~source_mask.T
        memory = self.encoder(self.source(source) + positions(len(source)), src_key_padding_mask=hidden)
        causal = nn.Transformer.generate_square_subsequent_mask(len(inputs))
        return self.head(
            self.decoder(
                self.target(inputs) + positions(len(inputs)), memory, tgt_mask=causal, memory_key_padding_mask=hidden))


def positions(count):
    """[count, 1, WIDTH]"""
    angles = torch.arange(count).unsqueeze(1) * torch.exp(-math.log(10_000) * torch.arange(0, WIDTH, 2) / WIDTH)
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1).unsqueeze(1)


def core_parts(name, array):
    """The names of the core and what stands there in the core's arrays, or in those of the gradients."""
    part, _, rest = name.partition(".layers.")
    if not rest:
        return {name.replace("coder.norm.", "coder.final_norm."): array}
    index, module, *parameter = rest.split(".")
    behind_cross = {"encoder": "norm2", "decoder": "norm3"}[part]
    modules = {
        "self_attn": "attention", "multihead_attn": "cross", "linear1": "up", "linear2": "down", "norm1": "norm",
        behind_cross: "mlp_norm", **({"norm2": "cross_norm"} if part == "decoder" else {}),
    }
    where = f"{part}.{modules[module]}.{index}"
    if not parameter[0].startswith("in_proj"):
        return {f"{where}.{'.'.join(parameter)}": array}
    kind = parameter[0].removeprefix("in_proj_")
    if module == "self_attn":
        return {f"{where}.qkv.{kind}": array}
    return {f"{where}.q.{kind}": array[:WIDTH], f"{where}.kv.{kind}": array[WIDTH:]}


def make(group, norm_first):
    model = Transformer(norm_first)
    with torch.no_grad():
        for parameter in model.parameters():
            # Biases and gains that the usual start would make zero or one.
            parameter.copy_((parameter + 0.3 * torch.randn(parameter.shape)).float().double())
    (source, source_mask), (inputs, mask) = tokens(SOURCE_LENGTHS), tokens(TARGET_LENGTHS)
    targets = torch.randint(VOCABULARY, mask.shape) * mask
    logits = model(source, source_mask, inputs)
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(mask.shape) * mask
    losses.sum().backward()
    group.attrs.update(layers=LAYERS, heads=HEADS, norm_first=int(norm_first))
    for name, array in [("source", source), ("inputs", inputs), ("targets", targets)]:
        write(group, name, array, np.int32)
    write(group, "source_lengths", torch.tensor(SOURCE_LENGTHS), np.int32)
    write(group, "target_lengths", torch.tensor(TARGET_LENGTHS), np.int32)
    write(group, "losses", losses)
    for name, parameter in model.named_parameters():
        for core_name, array in core_parts(name, parameter).items():
            write(group, f"weights/{core_name}", array)
        for core_name, array in core_parts(name, parameter.grad).items():
            write(group, f"gradients/{core_name}", array)


def main():
    torch.set_default_dtype(torch.float64)
    with h5py.File(Path(__file__).parent / "transformers.h5", "w") as file:
        file.attrs["origin"] = f"make_transformer_fixtures.py with PyTorch {torch.__version__}"
        for name, norm_first in [("norm_first", True), ("norm_last", False)]:
            torch.manual_seed(1)
            make(file.create_group(name), norm_first)


if __name__ == "__main__":
    main()
