"""A small decoder-only transformer, written out so that it generates a few thousand answers at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """Size of a network.

    Attributes:
        vocabulary: Number of tokens.
        length: Longest row.
        width: Width of the residual stream; heads are 32 wide.
        layers: Number of blocks.
    """

    vocabulary: int
    length: int
    width: int = 128
    layers: int = 2


Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of each block, (rows, heads, length, 32) each, filled up to the current place."""


class Block(nn.Module):
    """Attention and a two-layer perceptron, each behind a layer norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // 32
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, cache: tuple[Tensor, Tensor] | None = None, place: int = 0) -> Tensor:
        """Map (rows, time, width) to the same; with a `cache`, `x` begins at `place`."""
        rows, time, width = x.shape
        parts = self.qkv(self.before_attention(x)).view(rows, time, 3, self.heads, 32).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        if cache is None:
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            keys, values = cache
            keys[:, :, place : place + time] = k
            values[:, :, place : place + time] = v
            known = place + time
            mixed = functional.scaled_dot_product_attention(
                q, keys[:, :, :known], values[:, :, :known], is_causal=time > 1
            )
        x = x + self.out(mixed.transpose(1, 2).reshape(rows, time, width))
        mlp: Tensor = self.down(functional.gelu(self.up(self.before_mlp(x)), approximate="tanh"))
        return x + mlp


class Network(nn.Module):
    """Token and place embeddings, blocks, and logits through the token embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.vocabulary, shape.width)
        self.place = nn.Embedding(shape.length, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(
                    weight, std=0.02 if weight.shape[0] != shape.width else 1 / math.sqrt(4 * shape.width)
                )

    def forward(self, tokens: Tensor, cache: Cache | None = None, place: int = 0) -> Tensor:
        """Hidden states (rows, time, width) of `tokens` (rows, time) that begin at `place`."""
        here = torch.arange(place, place + tokens.shape[1])
        x: Tensor = self.token(tokens) + self.place(here)
        for index, block in enumerate(self.blocks):
            x = block(x, None if cache is None else cache[index], place)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocabulary) of `hidden` (..., width)."""
        return hidden @ self.token.weight.T

    def new_cache(self, rows: int) -> Cache:
        """An empty cache for `rows` rows."""
        size = (rows, self.shape.width // 32, self.shape.length, 32)
        return [(torch.zeros(size), torch.zeros(size)) for _ in self.blocks]


def parameters(network: nn.Module) -> int:
    """Number of trained numbers in `network`."""
    return sum(weight.numel() for weight in network.parameters())
