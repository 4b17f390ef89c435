"""Layers that scan, by their equations, a step at a time: step(x [B, C], state) -> y [B, C], state."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class MinGRU(nn.Module):
    """Feng et al. 2024 (arXiv 2410.01201), with candidates g(c) of its appendix B where `positive`. The state is h, [B, H]."""

    states = ["h"]
    gates = 1
    positive = False

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, (self.gates + 1) * width)
        nn.init.normal_(self.linear.weight, std=0.6)

    def first(self, lanes):
        return [torch.zeros(lanes, self.linear.in_features)]

    def share(self, z):
        return torch.sigmoid(z)

    def step(self, x, state):
        *gates, c = self.linear(x).chunk(self.gates + 1, -1)
        share = self.share(*gates)
        if self.positive:
            c = torch.where(c >= 0, c + 0.5, torch.sigmoid(c))
        h = (1 - share) * state[0] + share * c
        return h, [h]

    def core_state(self, state):
        return state


class MinLSTM(MinGRU):
    gates = 2

    def share(self, f, i):
        return torch.sigmoid(i) / (torch.sigmoid(f) + torch.sigmoid(i))


class PositiveMinGRU(MinGRU):
    positive = True


class PositiveMinLSTM(MinLSTM):
    positive = True


class LRU(nn.Module):
    """Orvieto et al. 2023 (arXiv 2303.06349). The state is complex, [B, N]."""

    states = ["s"]

    def __init__(self, width, states=6):
        super().__init__()
        square = torch.empty(states).uniform_(0.3, 0.95)
        self.nu_log = nn.Parameter((-square.log() / 2).log())
        self.theta_log = nn.Parameter((3 * torch.rand(states)).log())
        self.gamma_log = nn.Parameter((1 - square).log() / 2)
        self.B_re, self.B_im = (nn.Parameter(torch.randn(states, width) / 3) for _ in "ri")
        self.C_re, self.C_im = (nn.Parameter(torch.randn(width, states) / 3) for _ in "ri")
        self.D = nn.Parameter(torch.randn(width))

    def first(self, lanes):
        return [torch.zeros(lanes, len(self.nu_log), dtype=torch.complex128)]

    def step(self, x, state):
        eigenvalues = torch.exp(torch.complex(-self.nu_log.exp(), self.theta_log.exp()))
        inputs = torch.complex(x @ self.B_re.T, x @ self.B_im.T)
        s = eigenvalues * state[0] + self.gamma_log.exp() * inputs
        return (s @ torch.complex(self.C_re, self.C_im).T).real + self.D * x, [s]

    def core_state(self, state):
        """As the core has it: the real part, and the imaginary one with its sign changed."""
        return [torch.cat([state[0].real, -state[0].imag], -1)]


class S4D(nn.Module):
    """Gu, Gupta, Goel, Re 2022 (arXiv 2206.11893). The state is complex, [B, C, N/2]."""

    states = ["h"]

    def __init__(self, width, states=6):
        super().__init__()
        pairs = states // 2
        self.log_dt = nn.Parameter(torch.empty(width).uniform_(math.log(0.01), math.log(0.5)))
        self.log_A_real = nn.Parameter(torch.randn(width, pairs) / 2)
        self.A_imag = nn.Parameter(math.pi * torch.arange(pairs).expand(width, -1) + torch.randn(width, pairs))
        self.C = nn.Parameter(torch.randn(width, pairs, 2))
        self.D = nn.Parameter(torch.randn(width))

    def first(self, lanes):
        return [torch.zeros(lanes, *self.A_imag.shape, dtype=torch.complex128)]

    def step(self, x, state):
        A = torch.complex(-self.log_A_real.exp(), self.A_imag)
        grown = torch.exp(self.log_dt.exp().unsqueeze(-1) * A)
        h = grown * state[0] + (grown - 1) / A * x.unsqueeze(-1)
        return 2 * (torch.view_as_complex(self.C) * h).sum(-1).real + self.D * x, [h]

    def core_state(self, state):
        """As the core has it: [B, 2, N/2, C], real and imaginary parts."""
        return [torch.view_as_real(state[0]).permute(0, 3, 2, 1).flatten(1)]


class Mamba(nn.Module):
    """Gu & Dao 2023 (arXiv 2312.00752), algorithm 2, as the authors' mamba_simple. The state is the last K - 1 of u,
    [B, K-1, E], and h, [B, N, E]."""

    states = ["window", "h"]

    def __init__(self, width, states=5, kernel=3, expand=2):
        super().__init__()
        E, R = expand * width, math.ceil(width / 16)
        self.sizes = [R, states, states]
        self.in_proj = nn.Linear(width, 2 * E, bias=False)
        self.conv_weight = nn.Parameter(torch.randn(E, kernel) / 2)
        self.conv_bias = nn.Parameter(torch.randn(E))
        self.x_proj = nn.Linear(E, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(R, E)
        self.A_log = nn.Parameter(torch.arange(1, states + 1).log().repeat(E, 1) + torch.randn(E, states) / 4)
        self.D = nn.Parameter(torch.randn(E))
        self.out_proj = nn.Linear(E, width, bias=False)
        for linear in (self.in_proj, self.out_proj):
            nn.init.normal_(linear.weight, std=0.4)

    def first(self, lanes):
        E, N = self.A_log.shape
        return [torch.zeros(lanes, self.conv_weight.shape[1] - 1, E), torch.zeros(lanes, N, E)]

    def step(self, x, state):
        u, r = self.in_proj(x).chunk(2, -1)
        window = torch.cat([state[0], u.unsqueeze(1)], 1)
        v = F.silu((window * self.conv_weight.T).sum(1) + self.conv_bias)
        d, B, C = self.x_proj(v).split(self.sizes, -1)
        dt = F.softplus(self.dt_proj(d)).unsqueeze(1)
        h = torch.exp(-dt * self.A_log.exp().T) * state[1] + dt * B.unsqueeze(-1) * v.unsqueeze(1)
        y = (C.unsqueeze(-1) * h).sum(1) + self.D * v
        return self.out_proj(y * F.silu(r)), [window[:, 1:], h]

    def core_state(self, state):
        return [part.flatten(1) for part in state]


class ScanModel(nn.Module):
    """An embedding, two layers above each other, and a linear head."""

    def __init__(self, layer, vocabulary, width):
        super().__init__()
        self.name = layer.__name__.lower().removeprefix("positive")
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(layer(width) for _ in range(2))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens, states, resets):
        """The states of both layers, each a list; a lane's is set to zero before the steps where it is reset."""
        outputs = []
        for x, reset in zip(self.embedding(tokens), resets):
            for index in range(len(self.layers)):
                kept = self.kept(states[index], reset)
                x, left = self.step(index, x, kept)
                states = [*states[:index], left, *states[index + 1 :]]
            outputs.append(self.last(x))
        hidden = torch.stack(outputs)
        return self.head(hidden), hidden, states

    def kept(self, state, reset):
        return [part * (1 - reset).reshape(-1, *[1] * (part.dim() - 1)) for part in state]

    def step(self, index, x, state):
        return self.layers[index].step(x, state)

    def last(self, x):
        return x

    def random_states(self, lanes):
        def fill(part):
            real = [torch.empty_like(part.real).uniform_(-1, 1).float().double() for _ in "ri"]
            return torch.complex(*real) if part.is_complex() else real[0]

        return [[fill(part) for part in layer.first(lanes)] for layer in self.layers]

    def detach(self, states):
        return [[part.detach() for part in layer] for layer in states]

    def core_states(self, states):
        for index, (layer, state) in enumerate(zip(self.layers, states)):
            for letter, part in zip(layer.states, layer.core_state(state)):
                yield f"{self.name}.{index}.{letter}", part

    def core_names(self):
        for name, parameter in self.named_parameters():
            yield name.replace("layers.", f"{self.name}."), parameter


class ResidualScanModel(ScanModel):
    """Blocks x <- x + glu(gelu(layer(norm(x)))), and a norm before the head."""

    def __init__(self, layer, vocabulary, width):
        super().__init__(layer, vocabulary, width)
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in self.layers)
        self.glu = nn.ModuleList(nn.Linear(width, 2 * width) for _ in self.layers)
        self.final_norm = nn.LayerNorm(width)

    def step(self, index, x, state):
        y, state = self.layers[index].step(self.norm[index](x), state)
        return x + F.glu(self.glu[index](F.gelu(y)), -1), state

    def last(self, x):
        return self.final_norm(x)
