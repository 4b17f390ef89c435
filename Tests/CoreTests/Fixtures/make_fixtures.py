#!/usr/bin/env python3
"""Writes what torch.nn computes, for the tests of the core to compare with: one HDF5 file a model, beside this script.

    python make_fixtures.py [NAME...]        needs PyTorch, h5py and NumPy

A model (embedding, two layers, linear head) reads three chunks one after another, its state carried from a
random one (in a second direction it begins with zero), and is updated after each: mean cross-entropy, gradients clipped by their norm, Adam. It computes in
float64, from numbers that float32 has. In each file:

    inputs, targets [3, T, B]       the tokens of the chunks
    lengths [3], resets [3, T, B]   of models that scan: the steps of each chunk, and 1 where the state is zero before a step
    initial/STATE [B, W]            the states that enter the first chunk; the names are the core's
    weights/NAME                    the weights at first; names and shapes are those of the module's parameters
    outputs [T, B, H]               the first chunk: what the head reads,
    final/STATE [B, W]                the states that leave it,
    gradients/NAME                    and the gradients of the sum of its losses
    losses [3]                      the sum of each chunk's losses
    norms [3]                       the norm of each step's gradient of the mean loss, before clipping
    updated/NAME                    the weights after the three steps
    attributes                      clip_norm, learning_rate, beta1, beta2, epsilon, and what made the file
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from attention import Attention, AttentionModel
from scans import (
    LRU, S4D, Mamba, MinGRU, MinLSTM, PositiveMinGRU, PositiveMinLSTM, ResidualScanModel, ScanModel,
)

STEPS, LANES, VOCABULARY, EMBEDDING, HIDDEN, LAYERS, CHUNKS = 6, 3, 11, 6, 8, 2, 3
SCAN_LENGTHS = [18, 7, 20]
ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
CLIP_NORM = 0.2


class LanguageModel(nn.Module):
    """A state is [letters, layers, B, H]."""

    def __init__(self, cell):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.rnn = cell(input_size=EMBEDDING, hidden_size=HIDDEN, num_layers=LAYERS)
        self.head = nn.Linear(HIDDEN * (2 if self.rnn.bidirectional else 1), VOCABULARY)

    def forward(self, tokens, state):
        hidden, state = run(self.rnn, self.embedding(tokens), state)
        return self.head(hidden), hidden, state

    def core_names(self):
        return self.named_parameters()


class ResidualModel(nn.Module):
    """Blocks x <- x + rnn(norm(x)), x <- x + mlp(norm(x)), and a norm before the head."""

    def __init__(self, cell, norm, gated):
        super().__init__()
        each = range(LAYERS)
        units = 2 * HIDDEN
        self.gated = gated
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.norm = nn.ModuleList(norm(HIDDEN, eps=1e-5) for _ in each)
        self.rnn = nn.ModuleList(cell(HIDDEN, HIDDEN) for _ in each)
        self.mlp_norm = nn.ModuleList(norm(HIDDEN, eps=1e-5) for _ in each)
        self.up = nn.ModuleList(nn.Linear(HIDDEN, units * (2 if gated else 1)) for _ in each)
        self.down = nn.ModuleList(nn.Linear(units, HIDDEN) for _ in each)
        self.final_norm = norm(HIDDEN, eps=1e-5)
        self.head = nn.Linear(HIDDEN, VOCABULARY)

    def activate(self, u):
        if not self.gated:
            return nn.functional.gelu(u)
        a, b = u.chunk(2, -1)
        return nn.functional.silu(a) * b

    def forward(self, tokens, state):
        x, states = self.embedding(tokens), []
        for layer in range(LAYERS):
            y, left = run(self.rnn[layer], self.norm[layer](x), state[:, layer : layer + 1])
            states.append(left)
            x = x + y
            x = x + self.down[layer](self.activate(self.up[layer](self.mlp_norm[layer](x))))
        hidden = self.final_norm(x)
        return self.head(hidden), hidden, torch.cat(states, 1)

    def core_names(self):
        for name, parameter in self.named_parameters():
            if name.startswith("rnn."):
                _, layer, kind = name.split(".")
                name = f"rnn.{kind[:-1]}{layer}"
            yield name, parameter


def run(rnn, x, state):
    """The outputs and the state that leaves: of the forward direction, as the one that enters."""
    if rnn.bidirectional:
        state = torch.stack([state, torch.zeros_like(state)], 2).flatten(1, 2)
    state = tuple(state) if isinstance(rnn, nn.LSTM) else state[0]
    hidden, state = rnn(x, state)
    state = torch.stack(state) if isinstance(rnn, nn.LSTM) else state.unsqueeze(0)
    return hidden, state[:, ::2] if rnn.bidirectional else state


def random_states(name):
    states = torch.stack([torch.empty(LAYERS, LANES, HIDDEN).uniform_(-1, 1).float().double() for _ in "hc"])
    return states if "lstm" in name else states[:1]


def write(group, arrays):
    for name, array in arrays:
        group.create_dataset(name, data=np.asarray(array.detach(), dtype=np.float32), track_times=False)


def write_states(group, model, states):
    if isinstance(model, ScanModel):
        return write(group, model.core_states(states))
    for letter, state in zip("hc", states):
        write(group, ((f"rnn.{letter}_l{layer}", state[layer]) for layer in range(LAYERS)))


MODELS = {
    "rnn": lambda: LanguageModel(lambda **sizes: nn.RNN(nonlinearity="tanh", **sizes)),
    "relu_rnn": lambda: LanguageModel(lambda **sizes: nn.RNN(nonlinearity="relu", **sizes)),
    "lstm": lambda: LanguageModel(nn.LSTM),
    "gru": lambda: LanguageModel(nn.GRU),
    "bidirectional_lstm": lambda: LanguageModel(lambda **sizes: nn.LSTM(bidirectional=True, **sizes)),
    "bidirectional_gru": lambda: LanguageModel(lambda **sizes: nn.GRU(bidirectional=True, **sizes)),
    "residual_lstm": lambda: ResidualModel(nn.LSTM, nn.RMSNorm, gated=True),
    "residual_gru": lambda: ResidualModel(nn.GRU, nn.LayerNorm, gated=False),
    "mingru": lambda: ScanModel(MinGRU, VOCABULARY, HIDDEN),
    "minlstm": lambda: ScanModel(MinLSTM, VOCABULARY, HIDDEN),
    "positive_mingru": lambda: ScanModel(PositiveMinGRU, VOCABULARY, HIDDEN),
    "positive_minlstm": lambda: ScanModel(PositiveMinLSTM, VOCABULARY, HIDDEN),
    "lru": lambda: ScanModel(LRU, VOCABULARY, HIDDEN),
    "residual_lru": lambda: ResidualScanModel(LRU, VOCABULARY, HIDDEN),
    "residual_s4d": lambda: ResidualScanModel(S4D, VOCABULARY, HIDDEN),
    "s4d": lambda: ScanModel(S4D, VOCABULARY, HIDDEN),
    "mamba": lambda: ScanModel(Mamba, VOCABULARY, HIDDEN),
    "attention": lambda: AttentionModel(Attention, VOCABULARY, HIDDEN),
}


def make(file, name, model):
    model = model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.float().double())
    optimizer = torch.optim.Adam(
        model.parameters(), lr=ADAM["learning_rate"], betas=(ADAM["beta1"], ADAM["beta2"]), eps=ADAM["epsilon"]
    )
    scans = isinstance(model, ScanModel)
    lengths = SCAN_LENGTHS if scans else [STEPS] * CHUNKS
    inputs, targets = torch.randint(VOCABULARY, (2, CHUNKS, max(lengths), LANES))
    state = model.random_states(LANES) if scans else random_states(name)
    file.attrs["origin"] = f"make_fixtures.py with PyTorch {torch.__version__}"
    file.attrs.update(ADAM, clip_norm=CLIP_NORM)
    file.create_dataset("inputs", data=inputs.numpy().astype(np.int32), track_times=False)
    file.create_dataset("targets", data=targets.numpy().astype(np.int32), track_times=False)
    if scans:
        resets = (torch.rand(inputs.shape) < 0.1).double()
        file.create_dataset("lengths", data=np.asarray(lengths, dtype=np.int32), track_times=False)
        file.create_dataset("resets", data=resets.numpy().astype(np.int32), track_times=False)
    write(file.create_group("weights"), model.core_names())
    write_states(file.create_group("initial"), model, state)

    losses, norms = [], []
    for chunk in range(CHUNKS):
        steps = lengths[chunk]
        more = [resets[chunk, :steps]] if scans else []
        logits, hidden, state = model(inputs[chunk, :steps], state, *more)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets[chunk, :steps].flatten(), reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        if chunk == 0:
            write(file, [("outputs", hidden)])
            write_states(file.create_group("final"), model, state)
            write(file.create_group("gradients"), ((n, p.grad) for n, p in model.core_names()))
        for parameter in model.parameters():
            parameter.grad /= steps * LANES
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))
        losses.append(loss)
        optimizer.step()
        state = model.detach(state) if scans else state.detach()
    write(file, [("losses", torch.stack(losses)), ("norms", torch.stack(norms))])
    write(file.create_group("updated"), model.core_names())


def main():
    torch.set_default_dtype(torch.float64)
    for seed, (name, model) in enumerate(MODELS.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        torch.manual_seed(seed)
        with h5py.File(Path(__file__).parent / f"{name}.h5", "w") as file:
            make(file, name, model)


if __name__ == "__main__":
    main()
