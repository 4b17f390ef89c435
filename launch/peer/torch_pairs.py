"""The PyTorch side of the speed comparison of encoder-decoders: one training step.

The step is the one `seqtrain bench --pairs` times: encoder, decoder with attention, linear head, mean cross-entropy over the
targets, backward, gradient clipping by global norm, Adam; on one thread. Recurrent decoders attend after their steps, so that
torch.nn computes all layers of all steps in one call; --cell attention is torch.nn.TransformerEncoder and TransformerDecoder.
Batches are padded, and padding is masked.

Prints one line of JSON.
"""
import math

import torch
from torch import nn

import torch_step


class Recurrent(nn.Module):
    def __init__(self, a):
        super().__init__()
        kind, self.has_c = {"lstm": nn.LSTM, "gru": nn.GRU}[a.cell], a.cell == "lstm"
        self.source, self.target = nn.Embedding(a.vocab, a.embedding), nn.Embedding(a.vocab, a.embedding)
        self.encoder = kind(a.embedding, a.hidden, a.layers)
        self.decoder = kind(a.embedding, a.hidden, a.layers)
        self.bridges = nn.ModuleList(nn.Linear(a.hidden, a.hidden) for _ in range(a.layers * (2 if self.has_c else 1)))
        self.score = a.score
        if a.score == "additive":
            self.query, self.key = nn.Linear(a.hidden, a.hidden), nn.Linear(a.hidden, a.hidden, bias=False)
            self.v = nn.Parameter(torch.rand(a.hidden) - 0.5)
        self.combine, self.head = nn.Linear(2 * a.hidden, a.hidden), nn.Linear(a.hidden, a.vocab)

    def forward(self, source, source_lengths, inputs):
        packed = nn.utils.rnn.pack_padded_sequence(self.source(source), source_lengths, enforce_sorted=False)
        memory, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory)
        last = [s[-1] for s in last] if self.has_c else [last[-1]]
        first = [torch.tanh(bridge(last[i % len(last)])) for i, bridge in enumerate(self.bridges)]
        first = tuple(torch.stack(first[i :: len(last)]) for i in range(len(last)))
        states, _ = self.decoder(self.target(inputs), first if self.has_c else first[0])
        memory, states = memory.transpose(0, 1), states.transpose(0, 1)
        if self.score == "additive":
            scores = torch.tanh(self.query(states).unsqueeze(2) + self.key(memory).unsqueeze(1)) @ self.v
        else:
            scores = states @ memory.transpose(1, 2)
        hidden = torch.arange(memory.shape[1]) >= source_lengths.unsqueeze(1)
        weights = scores.masked_fill(hidden.unsqueeze(1), -math.inf).softmax(2)
        return self.head(torch.tanh(self.combine(torch.cat([weights @ memory, states], 2)))).transpose(0, 1)


class Transformer(nn.Module):
    def __init__(self, a):
        super().__init__()
        options = dict(dropout=0, activation="gelu", norm_first=True)
        sizes = (a.hidden, a.heads, 4 * a.hidden)
        self.source, self.target = nn.Embedding(a.vocab, a.hidden), nn.Embedding(a.vocab, a.hidden)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*sizes, **options), a.layers, nn.LayerNorm(a.hidden), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*sizes, **options), a.layers, nn.LayerNorm(a.hidden))
        self.head = nn.Linear(a.hidden, a.vocab)
        angles = torch.arange(a.longest + 1).unsqueeze(1) * torch.exp(
            -math.log(10_000) * torch.arange(0, a.hidden, 2) / a.hidden)
        self.positions = torch.stack([angles.sin(), angles.cos()], 2).flatten(1).unsqueeze(1)

    def forward(self, source, source_lengths, inputs):
        hidden = torch.arange(len(source)) >= source_lengths.unsqueeze(1)
        memory = self.encoder(self.source(source) + self.positions[: len(source)], src_key_padding_mask=hidden)
        causal = torch.ones(len(inputs), len(inputs), dtype=torch.bool).triu(1)
        read = self.target(inputs) + self.positions[: len(inputs)]
        return self.head(
            self.decoder(read, memory, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=hidden))


def main():
    parser = torch_step.parser(__doc__, layers=2, lanes=64)
    parser.add_argument("--cell", default="gru", choices=["gru", "lstm", "attention"])
    parser.add_argument("--score", default="dot", choices=["dot", "additive"])
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--pairs", default="20-30", help="the least and the most tokens of sources and targets")
    a = parser.parse_args()
    shortest, a.longest = map(int, a.pairs.split("-"))

    torch_step.begin()
    model = (Transformer if a.cell == "attention" else Recurrent)(a)
    lengths = [torch.randint(shortest, a.longest + 1, (a.lanes,)) for _ in range(2)]
    for of_side in lengths:
        of_side[0] = a.longest
    source, inputs, targets = (torch.randint(a.vocab, (a.longest, a.lanes)) for _ in range(3))
    targets[torch.arange(a.longest).unsqueeze(1) >= lengths[1]] = -100

    def compute_loss():
        outputs = model(source, lengths[0], inputs)
        return nn.functional.cross_entropy(outputs.flatten(0, 1).float(), targets.flatten())

    torch_step.report(a, model, compute_loss, int(lengths[1].sum()))


if __name__ == "__main__":
    main()
