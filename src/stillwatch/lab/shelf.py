"""Keeps trained networks between runs, where a folder for them is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from stillwatch.lab.network import Network, Shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Shelf:
    """A folder of networks, or none.

    Attributes:
        folder: Where they lie; None keeps nothing.
        label: What a network depends on beside its name: setting, seed, corpus.
    """

    folder: Path | None
    label: str

    def network(self, name: str, shape: Shape, build: Callable[[], Network]) -> Network:
        """The network `name`: read if it lies on the shelf, else built and put there."""
        if self.folder is None:
            return build()
        path = self.folder / (
            hashlib.sha256(f"{self.label}|{name}|{shape}".encode()).hexdigest()[:20] + ".pt"
        )
        if path.is_file():
            network = Network(shape)
            network.load_state_dict(torch.load(path, weights_only=True))
            network.eval()
            return network
        network = build()
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)
        return network
