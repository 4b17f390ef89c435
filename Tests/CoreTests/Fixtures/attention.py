"""Causal attention with a memory, by its equations, a step at a time."""

import math

import torch
from scans import ScanModel
from torch import nn


class Attention(nn.Module):
    """Vaswani et al. 2017, with the last keys and values carried (after Dai et al. 2019) and rotary positions (Su et al. 2021).
    The state is the last M keys, not yet turned, and values, [B, M, C], the oldest first; how many of them are of the
    stream; and the slot of the oldest in the core's ring."""

    states = ["k", "v", "count", "next"]

    def __init__(self, width, heads=2, memory=5):
        super().__init__()
        self.heads, self.memory = heads, memory
        self.qkv, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def first(self, lanes):
        past = torch.zeros(lanes, self.memory, self.out_proj.in_features)
        return [past, past, torch.zeros(lanes), torch.zeros(lanes)]

    def turn(self, z, position):
        """z [B, S, C] -> [B, heads, S, C / heads], its pairs turned by their positions [S]."""
        a, b = z.unflatten(-1, (self.heads, -1)).transpose(1, 2).chunk(2, -1)
        half = a.shape[-1]
        angle = position.unsqueeze(-1) * 10000 ** (-torch.arange(half) / half)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

    def step(self, x, state):
        q, k, v = self.qkv(x).unsqueeze(1).chunk(3, -1)
        keys, values, count = torch.cat([state[0], k], 1), torch.cat([state[1], v], 1), state[2] + 1
        place = torch.arange(self.memory + 1)
        scores = self.turn(q, place[-1:]) @ self.turn(keys, place).mT
        hidden = (self.memory - place >= count.unsqueeze(-1))[:, None, None]
        shares = (scores / math.sqrt(q.shape[-1] // self.heads)).masked_fill(hidden, -math.inf).softmax(-1)
        y = shares @ values.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        left = [keys[:, 1:], values[:, 1:], count.clamp(max=self.memory), (state[3] + 1) % self.memory]
        return self.out_proj(y.flatten(1)), left

    def core_state(self, state):
        slots = (torch.arange(self.memory) - int(state[3][0])) % self.memory
        return [state[0][:, slots].flatten(1), state[1][:, slots].flatten(1), *(s.unsqueeze(1) for s in state[2:])]


class AttentionModel(ScanModel):
    def kept(self, state, reset):
        """What is not of the stream is not seen, but stays in its place."""
        return [*state[:2], state[2] * (1 - reset), state[3]]

    def random_states(self, lanes):
        states = super().random_states(lanes)
        for state in states:
            state[2:] = torch.randint(1, self.layers[0].memory + 1, (lanes,)).double(), torch.zeros(lanes)
        return states
