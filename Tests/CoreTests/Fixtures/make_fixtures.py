#!/usr/bin/env python3
"""Writes what torch.nn computes, for the tests of the core to compare with: one HDF5 file a cell, beside this script.

    python make_fixtures.py        needs PyTorch, h5py and NumPy

A model (embedding, two recurrent layers, linear head) reads three chunks one after another, its state carried from a
random one, and is updated after each: mean cross-entropy, gradients clipped by their norm, Adam. It computes in
float64, from numbers that float32 has. In each file:

    inputs, targets [3, T, B]       the tokens of the chunks
    initial/STATE [B, H]            the states that enter the first chunk; the names are the core's
    weights/NAME                    the weights at first; names and shapes are those of the module's parameters
    outputs [T, B, H]               the first chunk: the upper layer's outputs,
    final/STATE [B, H]                the states that leave it,
    gradients/NAME                    and the gradients of the sum of its losses
    losses [3]                      the sum of each chunk's losses
    norms [3]                       the norm of each step's gradient of the mean loss, before clipping
    updated/NAME                    the weights after the three steps
    attributes                      clip_norm, learning_rate, beta1, beta2, epsilon, and what made the file
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

STEPS, LANES, VOCABULARY, EMBEDDING, HIDDEN, LAYERS, CHUNKS = 6, 3, 11, 6, 8, 2, 3
ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
CLIP_NORM = 0.2
CELLS = {
    "rnn": lambda **sizes: nn.RNN(nonlinearity="tanh", **sizes),
    "relu_rnn": lambda **sizes: nn.RNN(nonlinearity="relu", **sizes),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


class LanguageModel(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.rnn = cell(input_size=EMBEDDING, hidden_size=HIDDEN, num_layers=LAYERS)
        self.head = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, tokens, state):
        hidden, state = self.rnn(self.embedding(tokens), state)
        return self.head(hidden), hidden, state


def random_states(cell_name):
    states = [torch.empty(LAYERS, LANES, HIDDEN).uniform_(-1, 1).float().double() for _ in "hc"]
    return tuple(states) if cell_name == "lstm" else states[0]


def write(group, arrays):
    for name, array in arrays:
        group.create_dataset(name, data=np.asarray(array.detach(), dtype=np.float32), track_times=False)


def write_states(group, states):
    states = states if isinstance(states, tuple) else (states,)
    for letter, state in zip("hc", states):
        write(group, ((f"rnn.{letter}_l{layer}", state[layer]) for layer in range(LAYERS)))


def make(file, name, cell):
    model = LanguageModel(cell)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.float().double())
    optimizer = torch.optim.Adam(
        model.parameters(), lr=ADAM["learning_rate"], betas=(ADAM["beta1"], ADAM["beta2"]), eps=ADAM["epsilon"]
    )
    inputs, targets = torch.randint(VOCABULARY, (2, CHUNKS, STEPS, LANES))
    state = random_states(name)
    file.attrs["origin"] = f"make_fixtures.py with PyTorch {torch.__version__}"
    file.attrs.update(ADAM, clip_norm=CLIP_NORM)
    file.create_dataset("inputs", data=inputs.numpy().astype(np.int32), track_times=False)
    file.create_dataset("targets", data=targets.numpy().astype(np.int32), track_times=False)
    write(file.create_group("weights"), model.named_parameters())
    write_states(file.create_group("initial"), state)

    losses, norms = [], []
    for chunk in range(CHUNKS):
        logits, hidden, state = model(inputs[chunk], state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets[chunk].flatten(), reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        if chunk == 0:
            write(file, [("outputs", hidden)])
            write_states(file.create_group("final"), state)
            write(file.create_group("gradients"), ((n, p.grad) for n, p in model.named_parameters()))
        for parameter in model.parameters():
            parameter.grad /= STEPS * LANES
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))
        losses.append(loss)
        optimizer.step()
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    write(file, [("losses", torch.stack(losses)), ("norms", torch.stack(norms))])
    write(file.create_group("updated"), model.named_parameters())


def main():
    torch.set_default_dtype(torch.float64)
    for seed, (name, cell) in enumerate(CELLS.items()):
        torch.manual_seed(seed)
        with h5py.File(Path(__file__).parent / f"{name}.h5", "w") as file:
            make(file, name, cell)


if __name__ == "__main__":
    main()
