"""The account graph as a drawing: who is linked to whom, and who came when."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.model.findings import Group, Link, Member

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NODES = 300
MOST_LINKS = 2_000
WIDTH, HEIGHT = 760.0, 420.0
AGES = 4
"""Classes of first appearance, by quarters of the accounts drawn."""
_MARGIN = 14.0
_ROUNDS = 250
_GRAVITY = 0.8


@dataclass(frozen=True)
class Node:
    """One account."""

    x: float
    y: float
    radius: float
    age: int
    title: str


@dataclass(frozen=True)
class Drawing:
    """The graph laid out.

    Attributes:
        nodes: Accounts, biggest first, so that small ones stay visible on top.
        lines: SVG path data of the links in three classes, weakest first.
        left_out: Accounts of the group that are not drawn.
        links: Links drawn.
        links_left_out: Links among drawn accounts that are not drawn.
    """

    nodes: tuple[Node, ...]
    lines: tuple[str, ...]
    left_out: int
    links: int
    links_left_out: int


def draw(group: Group) -> Drawing | None:
    """Lay out the links of `group`; None where there are none.

    The accounts with most links are drawn, at most `MOST_NODES`. The layout starts from fixed places, so the
    same group always gives the same drawing.
    """
    chosen, links = _choose(group)
    if not links:
        return None
    drawn = links[:MOST_LINKS]
    places = _layout(len(chosen), drawn)
    members = [group.members[index] for index in chosen]
    ages = _ages(members)
    most = max(max(member.strand_exchanges, 0) for member in members) or 1
    nodes = [
        Node(x, y, 3 + 5 * math.sqrt(max(member.strand_exchanges, 0) / most), age, _title(member))
        for member, (x, y), age in zip(members, places, ages, strict=True)
    ]
    return Drawing(
        nodes=tuple(sorted(nodes, key=lambda node: -node.radius)),
        lines=_lines(drawn, places),
        left_out=max(group.account_count, len(group.members)) - len(chosen),
        links=len(drawn),
        links_left_out=len(links) - len(drawn),
    )


def _choose(group: Group) -> tuple[list[int], list[Link]]:
    """Return the members to draw and the links among them, strongest first, renumbered."""
    count = len(group.members)
    valid = {
        (min(link.a, link.b), max(link.a, link.b)): link.shared
        for link in group.links
        if link.a != link.b and 0 <= link.a < count and 0 <= link.b < count
    }
    degree = Counter(end for pair in valid for end in pair)
    chosen = sorted(sorted(degree, key=lambda index: (-degree[index], index))[:MOST_NODES])
    place = {index: position for position, index in enumerate(chosen)}
    links = [
        Link(place[a], place[b], shared) for (a, b), shared in valid.items() if a in place and b in place
    ]
    return chosen, sorted(links, key=lambda link: (-link.shared, link.a, link.b))


def _layout(count: int, links: Sequence[Link]) -> list[tuple[float, float]]:
    """Place `count` nodes by repulsion between all and attraction along `links`, cooling down.

    Fruchterman and Reingold, "Graph drawing by force-directed placement" (1991), with a weak pull to the
    middle that keeps parts without links between them on the page. Written out here because
    libraries start from, or jitter with, a global random number generator.
    """
    index = np.arange(count)
    # Sunflower arrangement: even, fixed, and no two nodes in one place.
    radius, angle = np.sqrt(index + 0.5), 2.399963 * index
    place = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    ends = np.array([(link.a, link.b) for link in links])
    for heat in np.linspace(0.1 * math.sqrt(count), 0.005, _ROUNDS):
        squares = (place**2).sum(axis=1)
        apart = np.maximum(squares[:, None] + squares[None, :] - 2 * place @ place.T, 0)
        weight = 1 / (apart + 1e-3)
        # Sum over j of (place i - place j) / distance², without an array of three dimensions.
        force = place * (weight.sum(axis=1, keepdims=True) - _GRAVITY) - weight @ place
        along = place[ends[:, 0]] - place[ends[:, 1]]
        pull = along * np.linalg.norm(along, axis=1, keepdims=True)
        np.add.at(force, ends[:, 0], -pull)
        np.add.at(force, ends[:, 1], pull)
        length = np.linalg.norm(force, axis=1, keepdims=True) + 1e-12
        place = place + force / length * np.minimum(length, heat)
    return _fit([(float(x), float(y)) for x, y in place])


def _fit(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Scale `points` into the frame, each axis for itself."""
    xs, ys = [x for x, _ in points], [y for _, y in points]

    def scaled(value: float, values: Sequence[float], size: float) -> float:
        low, high = min(values), max(values)
        share = (value - low) / (high - low) if high > low else 0.5
        return _MARGIN + share * (size - 2 * _MARGIN)

    return [(scaled(x, xs, WIDTH), scaled(y, ys, HEIGHT)) for x, y in points]


def _ages(members: Sequence[Member]) -> list[int]:
    order = sorted(range(len(members)), key=lambda index: (members[index].first_seen, index))
    ages = [0] * len(members)
    for rank, index in enumerate(order):
        ages[index] = AGES * rank // len(members)
    return ages


def _title(member: Member) -> str:
    return (
        f"{member.account_id}: {member.strand_exchanges:,} of {member.exchanges:,} exchanges, "
        f"first seen {member.first_seen:%Y-%m-%d}"
    )


def _lines(links: Sequence[Link], places: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    classes: tuple[list[str], ...] = ([], [], [])
    third = max(1, math.ceil(len(links) / 3))
    for rank, link in enumerate(links):
        (x1, y1), (x2, y2) = places[link.a], places[link.b]
        classes[2 - rank // third].append(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")
    return tuple("".join(lines) for lines in classes)
