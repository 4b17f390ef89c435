#!/usr/bin/env python3
"""Writes what the losses of torch.nn are, for the tests of the kernels to compare with: losses.h5, beside this script.

    python make_loss_fixtures.py        needs PyTorch, h5py and NumPy

It computes in float64, from numbers that float32 has. In each group, LOSS/UNITS:

    outputs [R, O], targets [R] or [R, D], weights [R], unit_weights [R, D] or class_weights [V]
    losses [R]                      of each row, times its weight
    gradients [R, O]                of the sum of all losses
    attribute smoothing             of cross_entropy
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

ROWS, SIZES, BOUND, SMOOTHING = 6, [1, 5, 16, 17, 65], 15, 0.1
WEIGHTS = torch.tensor([1, 0.5, 0, 2, 1, 0.25], dtype=torch.float64)


def rounded(values):
    return values.float().double()


def unit_weights(units):
    return torch.tensor([0, 1, 0.5])[torch.randint(3, (ROWS, units))].double()


def squared_error(outputs, units):
    targets, weights = rounded(torch.randn(ROWS, units)), unit_weights(units)
    losses = (nn.MSELoss(reduction="none")(outputs, targets) * weights).mean(1)
    return losses, {"targets": targets, "unit_weights": weights}


def gaussian(outputs, units):
    targets, weights = rounded(torch.randn(ROWS, units)), unit_weights(units)
    means, seconds = outputs.split(units, 1)
    variances = (BOUND * (seconds / BOUND).tanh()).exp()
    losses = nn.GaussianNLLLoss(full=True, eps=0, reduction="none")(means, targets, variances)
    return (losses * weights).sum(1), {"targets": targets, "unit_weights": weights}


def bernoulli(outputs, units):
    targets, weights = torch.randint(2, (ROWS, units)).double(), unit_weights(units)
    losses = nn.BCEWithLogitsLoss(weight=weights, reduction="none")(outputs, targets).sum(1)
    return losses, {"targets": targets, "unit_weights": weights}


def cross_entropy(outputs, units):
    targets, weights = torch.randint(units, (ROWS,)), rounded(torch.rand(units) * 2)
    losses = nn.CrossEntropyLoss(weight=weights, label_smoothing=SMOOTHING, reduction="none")(outputs, targets)
    return losses, {"targets": targets, "class_weights": weights}


def main():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    losses = {"squared_error": squared_error, "gaussian": gaussian, "bernoulli": bernoulli,
              "cross_entropy": cross_entropy}
    with h5py.File(Path(__file__).parent / "losses.h5", "w") as file:
        file.attrs["origin"] = f"make_loss_fixtures.py with PyTorch {torch.__version__}"
        file.attrs["smoothing"] = SMOOTHING
        for name, loss in losses.items():
            for units in SIZES:
                outputs = rounded(torch.randn(ROWS, units * (2 if name == "gaussian" else 1)) * 3).requires_grad_()
                values, data = loss(outputs, units)
                values = values * WEIGHTS
                values.sum().backward()
                group = file.create_group(f"{name}/{units}")
                data |= {"outputs": outputs, "weights": WEIGHTS, "losses": values, "gradients": outputs.grad}
                for key, array in data.items():
                    array = array.detach().numpy()
                    if key == "targets" and name == "cross_entropy":
                        array = array.astype(np.int32)
                    group.create_dataset(key, data=array, track_times=False)


if __name__ == "__main__":
    main()
