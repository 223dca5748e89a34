"""Addresses by kind of network, generated: none of the ranges is looked up, owners are made up.

A range is a 16-bit prefix; the prefix of each kind is drawn once for a world from blocks that stand apart,
so a residential proxy exit comes from the same ranges as honest homes.
"""

from __future__ import annotations

import numpy as np

from stillwatch.worlds.shapes import Ints, pick, zipf_weights

HOME_RANGES = tuple(
    (first << 24) | (second << 16)
    for first in (31, 46, 71, 78, 84, 93, 109, 151, 176, 188)
    for second in range(16, 56)
)
MOBILE_RANGES = tuple(
    (first << 24) | (second << 16) for first in (37, 106, 172) for second in range(192, 204)
)
OFFICE_RANGES = tuple(
    (first << 24) | (second << 16) for first in (62, 80, 195, 212) for second in range(64, 96)
)
HOSTING_RANGES = tuple(
    (first << 24) | (second << 16) for first in (51, 65, 95, 138, 159, 167) for second in range(100, 124)
)
VPN_RANGES = tuple(
    (first << 24) | (second << 16) for first in (45, 89, 185, 193) for second in range(130, 138)
)

KINDS = {
    "home": HOME_RANGES,
    "mobile": MOBILE_RANGES,
    "office": OFFICE_RANGES,
    "hosting": HOSTING_RANGES,
    "vpn": VPN_RANGES,
}
COUNTRY_OF_HOME = (
    "US",
    "IN",
    "DE",
    "GB",
    "BR",
    "FR",
    "JP",
    "ES",
    "MX",
    "CA",
    "NL",
    "PL",
    "SG",
    "AU",
    "IT",
    "KR",
)


def hosts(kind: str, count: int, rng: np.random.Generator) -> Ints:
    """Draw `count` addresses of networks of this kind, as whole numbers; popular ranges more often."""
    ranges = np.array(KINDS[kind], dtype=np.int64)
    block = ranges[pick(zipf_weights(len(ranges)), count, rng)]
    return np.asarray(block + rng.integers(1 << 8, (1 << 16) - 2, count))


def exits(kind: str, count: int, sites: int, rng: np.random.Generator) -> Ints:
    """Draw `count` addresses among only `sites` distinct ones, such as the exits of a relay."""
    return hosts(kind, sites, rng)[pick(zipf_weights(sites), count, rng)]


def dotted(addresses: Ints) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Write addresses as dotted quads."""
    unique, back = np.unique(addresses, return_inverse=True)
    octets = [(unique >> shift & 255).astype(str) for shift in (24, 16, 8, 0)]
    text = octets[0]
    for octet in octets[1:]:
        text = np.char.add(np.char.add(text, "."), octet)
    return np.asarray(text[back])


def roam(account: Ints, places: Ints, rng: np.random.Generator, faithful: float = 0.8) -> Ints:
    """Choose the address of each exchange among its account's `places`.

    Args:
        account: Account of each exchange, shape (rows,).
        places: Addresses of each account, most usual first, shape (accounts, places).
        rng: Source of randomness.
        faithful: Share of exchanges that come from the usual place.
    """
    away = rng.random(len(account)) > faithful
    other = rng.integers(0, places.shape[1], len(account))
    return np.asarray(places[account, np.where(away, other, 0)])
