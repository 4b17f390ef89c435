#!/usr/bin/env python3
"""Writes what PyTorch computes of encoder-decoders, for the tests of the core to compare with: pairs.h5, beside this script.

    python make_pair_fixtures.py REFERENCE.py        needs PyTorch, h5py and NumPy

REFERENCE.py defines Seq2Seq, the model by its equations. It computes in float64, from numbers that float32 has, one chunk of
pairs of unequal lengths. In each group, one a model:

    source [S, B], inputs, targets [U, B]        tokens; padding is 0
    source_lengths, target_lengths [B]
    weights/NAME                                 names and shapes are the core's: those of the module's parameters, but
                                                 what it calls backward_encoder.rnn.X_l0 is encoder.rnn.X_l0_reverse
    losses [U, B]                                cross entropies; 0 in padding
    alignment [U, B, S]                          the weights of attention
    gradients/NAME                               the gradients of the sum of the losses
    attributes                                   cell, score, attend, bidirectional
"""

import importlib.util
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

VOCABULARY, EMBEDDING, HIDDEN = 7, 5, 4
SOURCE_LENGTHS, TARGET_LENGTHS = [7, 3, 1, 5], [4, 6, 2, 1]
CASES = [
    ("gru", score, attend, True)
    for score in ["dot", "scaled", "general", "additive", "cosine"]
    for attend in ["after", "before"]
] + [("lstm", "dot", "after", False), ("lstm", "general", "before", True), ("gru", "additive", "after", False)]


def core_name(name):
    if name.startswith("backward_encoder."):
        return name.removeprefix("backward_") + "_reverse"
    return name


def write(group, name, array, kind=np.float32):
    group.create_dataset(name, data=np.asarray(array.detach(), dtype=kind), track_times=False)


def tokens(lengths):
    """[T, B], padded with 0, and the mask."""
    mask = torch.arange(max(lengths)).unsqueeze(1) < torch.tensor(lengths)
    return torch.randint(VOCABULARY, mask.shape) * mask, mask


def make(group, reference, cell, score, attend, bidirectional):
    model = reference.Seq2Seq(cell, VOCABULARY, EMBEDDING, HIDDEN, score, attend, bidirectional)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((1.5 * parameter if parameter.dim() > 0 else torch.tensor(0.7)).float().double())
    (source, source_mask), (inputs, mask) = tokens(SOURCE_LENGTHS), tokens(TARGET_LENGTHS)
    targets = torch.randint(VOCABULARY, mask.shape) * mask
    logits, alignment, _ = model(source, source_mask, inputs)
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(mask.shape) * mask
    losses.sum().backward()
    group.attrs.update(cell=cell, score=score, attend=attend, bidirectional=int(bidirectional))
    for name, array in [("source", source), ("inputs", inputs), ("targets", targets)]:
        write(group, name, array, np.int32)
    write(group, "source_lengths", torch.tensor(SOURCE_LENGTHS), np.int32)
    write(group, "target_lengths", torch.tensor(TARGET_LENGTHS), np.int32)
    write(group, "losses", losses)
    write(group, "alignment", alignment.transpose(1, 2))
    for name, parameter in model.named_parameters():
        write(group, f"weights/{core_name(name)}", parameter)
        write(group, f"gradients/{core_name(name)}", parameter.grad)


def main():
    torch.set_default_dtype(torch.float64)
    spec = importlib.util.spec_from_file_location("reference", sys.argv[1])
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    with h5py.File(Path(__file__).parent / "pairs.h5", "w") as file:
        file.attrs["origin"] = f"make_pair_fixtures.py with PyTorch {torch.__version__}"
        for seed, case in enumerate(CASES):
            torch.manual_seed(seed)
            name = "_".join([*case[:3], "bidirectional" if case[3] else "forward"])
            make(file.create_group(name), reference, *case)


if __name__ == "__main__":
    main()
