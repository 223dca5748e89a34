"""Answers of a network to many prompts at once, and what a network would have said at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stillwatch.lab.tokens import PAD, Rows, answered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stillwatch.lab.choosing import Chooser
    from stillwatch.lab.network import Network


def answer(network: Network, asked: Rows, chooser: Chooser) -> Rows:
    """Answer the prompts of `asked` (what stands behind them is ignored) with tokens drawn by `chooser`.

    All rows advance together through one cache; a row still inside its prompt is fed the prompt's own token.
    """
    length = asked.tokens.shape[1]
    history = np.where(np.arange(length) < asked.starts[:, None], asked.tokens, PAD)
    ended = np.zeros(len(asked), dtype=np.bool_)
    cache = network.new_cache(len(asked))
    done, first = 0, int(asked.starts.min())
    with torch.inference_mode():
        for place in range(first, length):
            hidden = network(torch.from_numpy(history[:, done:place]), cache, done)[:, -1]
            done = place
            chances = torch.softmax(network.logits(hidden), -1).numpy()
            drawn = chooser.choose(chances, history, asked.starts, place)
            speaking = (place >= asked.starts) & ~ended
            history[speaking, place] = drawn[speaking]
            ended |= speaking & (drawn == PAD)
            if ended.all():
                break
    return Rows(history, asked.starts)


def distributions(
    network: Network, rows: Rows, batch: int = 128
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield, batch by batch, what `network` would draw from at each answer place of `rows`.

    Yields:
        Flat places, row * length + place, shape (m,), and the distributions there, shape (m, vocabulary).
    """
    mask, length = answered(rows), rows.tokens.shape[1]
    with torch.inference_mode():
        for at in range(0, len(rows), batch):
            some = torch.from_numpy(mask[at : at + batch, 1:])
            hidden = network(torch.from_numpy(rows.tokens[at : at + batch, :-1]))[some]
            row, place = np.nonzero(mask[at : at + batch, 1:])
            yield (at + row) * length + place + 1, torch.softmax(network.logits(hidden), -1).numpy()


def answer_log_likelihood(network: Network, rows: Rows, batch: int = 128) -> NDArray[np.float64]:
    """Log-likelihood in nats of each answer of `rows`, shape (n,)."""
    out = np.zeros(len(rows))
    flat, length = rows.tokens.ravel(), rows.tokens.shape[1]
    for places, chances in distributions(network, rows, batch):
        said = np.log(chances[np.arange(len(places)), flat[places]].astype(np.float64))
        out += np.bincount(places // length, weights=said, minlength=len(rows))
    return out
