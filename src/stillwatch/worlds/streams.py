"""Random numbers by name: every use has a stream of its own, so adding one changes no other."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from stillwatch.worlds.exact import ExactGenerator


class Streams(msgspec.Struct, frozen=True):
    """Source of independent generators, one for each name.

    >>> Streams(7).named("volume").integers(1000) == Streams(7).named("volume").integers(1000)
    True

    Attributes:
        seed: Seed of the whole world.
        scope: Path of names that led here; part of the identity of every stream below.
        exact: Whether draws are the same on every machine to the last bit (see `exact`). The first scenarios
            were made with PCG64 and numpy's own samplers and keep them, since their bytes are permanent.
    """

    seed: int
    scope: str = ""
    exact: bool = False

    def within(self, name: str) -> Streams:
        """Return the streams of the part `name` of this scope."""
        return Streams(self.seed, f"{self.scope}/{name}", self.exact)

    def named(self, name: str) -> np.random.Generator:
        """Return a fresh generator for `name`; the same name gives the same numbers again."""
        digest = hashlib.blake2b(f"{self.scope}/{name}".encode(), digest_size=16).digest()
        words = np.frombuffer(digest, dtype="<u4").astype(np.uint32)
        sequence = np.random.SeedSequence(entropy=self.seed, spawn_key=tuple(int(word) for word in words))
        if self.exact:
            return ExactGenerator(np.random.Philox(sequence))
        return np.random.Generator(np.random.PCG64(sequence))
