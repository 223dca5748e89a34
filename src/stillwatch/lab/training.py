"""Training of teachers and students: plain next-token prediction on the answers, seeded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from stillwatch.lab.network import Network, Shape
from stillwatch.lab.tokens import Rows, answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Attributes:
        steps: Number of updates.
        batch: Rows an update.
        rate: Highest learning rate of AdamW; rises over 5 % of the steps, then falls as a cosine.
    """

    steps: int
    batch: int = 64
    rate: float = 4e-3


def train(
    rows: Rows,
    shape: Shape,
    schedule: Schedule,
    seed: int,
    *,
    start: Network | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Network:
    """Train a new network of `shape` (or go on from `start`, in place) on the answers in `rows`.

    Rows are drawn in epochs, each in a new order. `tick` is called after each step.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(shape) if start is None else start
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    tokens, scored = torch.from_numpy(rows.tokens), torch.from_numpy(answered(rows))
    for step, chosen in enumerate(_batches(len(rows), schedule, rng)):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * _warmth(step / schedule.steps)
        loss = _loss(network, tokens[chosen], scored[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        tick()
    network.eval()
    return network


def held_out_loss(network: Network, rows: Rows, batch: int = 256) -> float:
    """Mean loss in nats for each answer token of `rows`."""
    tokens, scored = torch.from_numpy(rows.tokens), torch.from_numpy(answered(rows))
    total, count = 0.0, 0
    with torch.inference_mode():
        for at in range(0, len(rows), batch):
            some = scored[at : at + batch]
            number = int(some[:, 1:].sum())
            total += float(_loss(network, tokens[at : at + batch], some)) * number
            count += number
    return total / count


def _loss(network: Network, tokens: Tensor, scored: Tensor) -> Tensor:
    longest = int(scored.any(0).nonzero().max()) + 1
    tokens, scored = tokens[:, :longest], scored[:, :longest]
    hidden = network(tokens[:, :-1])[scored[:, 1:]]
    return functional.cross_entropy(network.logits(hidden), tokens[:, 1:][scored[:, 1:]])


def _batches(count: int, schedule: Schedule, rng: np.random.Generator) -> list[np.ndarray]:
    """Indices of each step's rows: whole epochs in random order, cut to the number of steps."""
    wanted = schedule.steps * schedule.batch
    epochs = [rng.permutation(count) for _ in range(math.ceil(wanted / count))]
    order = np.concatenate(epochs)[:wanted]
    return list(order.reshape(schedule.steps, schedule.batch))


def _warmth(share: float) -> float:
    return min(1.0, (share + 1e-3) / 0.05) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
