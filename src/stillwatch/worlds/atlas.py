"""Real address ranges for the made-up ones: each made-up range is given one of its kind of network.

Worlds draw addresses from made-up 16-bit ranges (`addresses`). Where public lists of ranges are at hand, each
of these is laid onto a real range, so that a screen that knows real networks sees homes, carriers, offices,
data centres and VPNs. Owners are never named; an address says nothing about who really has it.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import zstandard

from stillwatch.model.errors import InputError
from stillwatch.worlds.addresses import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from stillwatch.worlds.shapes import Ints

ASN = "ip/asn_ipv4_20260617.csv.zst"
DATA_CENTRES = "ip/x4b_datacenter_ipv4.txt.zst"
VPNS = "ip/x4b_vpn_ipv4.txt.zst"
_CARRIER = "mobile|wireless|cellular|telefonica moviles|vodafone"
_HOMES = (1 << 14, 1 << 20)
_OFFICES = (1 << 8, 1 << 11)
_SEED = 20_261_005


class Atlas(msgspec.Struct, frozen=True):
    """Where made-up ranges lie; one entry a range.

    Attributes:
        prefix: Upper 16 bits of the made-up ranges, ascending.
        start: First address of the real range.
        size: Addresses in it.
    """

    prefix: Ints
    start: Ints
    size: Ints

    def translate(self, addresses: Ints) -> Ints:
        """Return real addresses for made-up ones; 0 stays 0, equal ones stay equal."""
        place = np.searchsorted(self.prefix, addresses >> 16).clip(0, len(self.prefix) - 1)
        known = self.prefix[place] == addresses >> 16
        inside = ((addresses & 0xFFFF) * self.size[place]) >> 16
        return np.where(known, self.start[place] + inside, addresses)


def read_atlas(folder: Path) -> Atlas | None:
    """Lay the made-up ranges onto those of the public lists in `folder`; None where a list is missing.

    Raises:
        InputError: A list is not in its public format.
    """
    paths = [folder / name for name in (ASN, DATA_CENTRES, VPNS)]
    if not all(path.exists() for path in paths):
        return None
    centres, vpns = (_networks(path) for path in paths[1:])
    start, size, carrier = _autonomous_systems(paths[0])
    apart = ~_inside(start, centres) & ~_inside(start, vpns)
    real = {
        "home": _chosen(start, size, apart & ~carrier & _between(size, _HOMES)),
        "mobile": _chosen(start, size, apart & carrier & (size >= _OFFICES[0])),
        "office": _chosen(start, size, apart & ~carrier & _between(size, _OFFICES)),
        "hosting": centres,
        "vpn": vpns,
    }
    return _laid(real)


def _laid(real: dict[str, tuple[Ints, Ints]]) -> Atlas:
    rng = np.random.Generator(np.random.PCG64(_SEED))
    columns = []
    for kind, ranges in KINDS.items():
        start, size = real[kind]
        chosen = rng.permutation(len(start))[: len(ranges)]
        columns.append(np.stack([np.array(ranges) >> 16, start[chosen], size[chosen]]))
    table = np.concatenate(columns, axis=1)
    return Atlas(*table[:, np.argsort(table[0], kind="stable")])


def _between(size: Ints, bounds: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray((size >= bounds[0]) & (size <= bounds[1]))


def _chosen(start: Ints, size: Ints, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[Ints, Ints]:
    return start[mask], size[mask]


def _inside(start: Ints, networks: tuple[Ints, Ints]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which ranges begin inside one of the networks (ascending by start)."""
    first, size = networks
    place = np.searchsorted(first, start, side="right") - 1
    return np.asarray((place >= 0) & (start < first[place] + size[place]))


def _text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return zstandard.ZstdDecompressor().stream_reader(file).read()
    except zstandard.ZstdError as error:
        raise InputError(str(path), "cannot be decompressed as zstd", "fetch the file again") from error


def _networks(path: Path) -> tuple[Ints, Ints]:
    """Read one network a line in CIDR notation; first addresses (ascending) and sizes."""
    try:
        found = [ipaddress.IPv4Network(line) for line in _text(path).decode().split()]
    except ValueError as error:
        raise InputError(str(path), "holds a line that is no IPv4 network", "fetch the file again") from error
    found.sort()
    start = np.array([int(network.network_address) for network in found], dtype=np.int64)
    return start, np.array([network.num_addresses for network in found], dtype=np.int64)


def _autonomous_systems(path: Path) -> tuple[Ints, Ints, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Read ranges with their networks: first address, size, and whether the owner is a mobile carrier."""
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(_text(path)),
            pyarrow.csv.ReadOptions(column_names=["first", "last", "number", "owner"]),
        )
    except pa.ArrowInvalid as error:
        raise InputError(str(path), "is not a table of address ranges", "fetch the file again") from error
    first, last = (_numbers(table[name]) for name in ("first", "last"))
    carrier = pc.match_substring_regex(pc.utf8_lower(table["owner"].cast(pa.string())), _CARRIER)
    return first, last - first + 1, pc.fill_null(carrier, fill_value=False).to_numpy(zero_copy_only=False)


def _numbers(dotted: pa.ChunkedArray) -> Ints:
    parts = pc.split_pattern(dotted.combine_chunks().cast(pa.string()), ".").flatten()
    octets = parts.cast(pa.int64()).to_numpy().reshape(-1, 4)
    return np.asarray(octets @ (1 << np.array([24, 16, 8, 0])), dtype=np.int64)
