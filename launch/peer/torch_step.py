"""What the PyTorch sides of the speed comparison share: their options, and how a training step is timed and reported."""
import argparse
import json
import os
import resource
import statistics
import time

import torch
from torch import nn


def parser(description, **defaults):
    """The options of every side; more are added by whoever has them."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--vocab", type=int, default=128)
    made.add_argument("--embedding", type=int, default=128)
    made.add_argument("--hidden", type=int, default=256)
    made.add_argument("--layers", type=int, default=1)
    made.add_argument("--lanes", type=int, default=32, help="lanes over all ranks")
    made.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    made.add_argument("--warmup", type=int, default=3)
    made.add_argument("--steps", type=int, default=12)
    made.add_argument("--clip", type=float, default=1.0)
    made.set_defaults(**defaults)
    return made


def ranks():
    return int(os.environ.get("WORLD_SIZE", "1"))


def begin():
    """One thread a rank."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if ranks() > 1:
        torch.distributed.init_process_group("gloo")


def report(a, model, compute_loss, tokens):
    """Times steps with Adam, clipped by the global norm, on the loss that `compute_loss` returns, and prints a line of JSON on
    rank 0; `tokens` are those of a step, over all ranks."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    seconds = []
    for step in range(a.warmup + a.steps):
        if ranks() > 1:
            torch.distributed.barrier()
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bfloat16"):
            value = compute_loss()
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), a.clip)
        optimizer.step()
        if step >= a.warmup:
            seconds.append(time.perf_counter() - start)
    if int(os.environ.get("RANK", "0")) == 0:
        median = statistics.median(seconds)
        print(json.dumps({
            "program": "torch " + torch.__version__,
            "ranks": ranks(),
            "step_seconds_median": median,
            "step_seconds_min": min(seconds),
            "tokens_per_second": tokens / median,
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }))
