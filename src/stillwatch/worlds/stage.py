"""What all populations of one world have in common: the window of time, random streams, public things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from stillwatch.worlds.grammar import language
from stillwatch.worlds.shapes import Floats, Ints, zipf_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from stillwatch.worlds.pen import Pen
    from stillwatch.worlds.sources import Sources
    from stillwatch.worlds.streams import Streams
    from stillwatch.worlds.traffic import Traffic

HOUR = 3_600_000_000
"""Microseconds of an hour; all times of a world are whole microseconds since 1970 (UTC)."""
DAY = 24 * HOUR


class Window(msgspec.Struct, frozen=True):
    """The time that the logs cover.

    Attributes:
        start: First moment, microseconds since 1970, a Monday at midnight UTC.
        days: Length.
        release_day: Day on which the provider releases a new model.
    """

    start: int
    days: int
    release_day: float

    @property
    def end(self) -> int:
        """First moment after the window."""
        return self.start + self.days * DAY

    def at(self, day: float) -> int:
        """Return the moment `day` days after the start."""
        return self.start + int(day * DAY)


class Agent(msgspec.Struct, frozen=True):
    """A public coding agent: everybody who runs it sends the same system prompt and tools."""

    name: str
    system: str
    tools: str
    tool_names: tuple[str, ...]
    user_agent: str


class Library(msgspec.Struct, frozen=True):
    """Public things that unrelated people share.

    Attributes:
        prompts: Prompt-list templates with `[[1]]`, most popular first.
        agents: Coding agents, most popular first.
        frameworks: Default templates of public libraries, with `[[1]]`, in many products.
        items: Items of each public benchmark.
        wraps: Harness template of each public benchmark, with `[[1]]`.
    """

    prompts: tuple[str, ...]
    agents: tuple[Agent, ...]
    frameworks: tuple[str, ...]
    items: tuple[pa.StringArray, ...]
    wraps: tuple[str, ...]

    @property
    def popularity(self) -> Floats:
        """Weights of `prompts`."""
        return zipf_weights(len(self.prompts))


class Stage(msgspec.Struct, frozen=True):
    """Handed to every population.

    Attributes:
        streams: Random streams of this population alone.
        window: Time covered.
        library: Public things.
        sources: Real prompts and traffic statistics where a folder with them was given.
        scale: Factor on numbers of accounts.
        pen: Writes what is said, as texts or as fingerprints.
        traffic: How much, how fast and how long.
    """

    streams: Streams
    window: Window
    library: Library
    sources: Sources
    scale: float
    pen: Pen
    traffic: Traffic

    def rng(self, name: str) -> np.random.Generator:
        """Return the generator of this population called `name`."""
        return self.streams.named(name)

    def within(self, name: str) -> Stage:
        """Return the stage of the population `name`."""
        return msgspec.structs.replace(self, streams=self.streams.within(name))

    def scaled(self, factor: float) -> Stage:
        """Return the same stage for so many times as many accounts."""
        return msgspec.structs.replace(self, scale=self.scale * factor)

    def write(self, rule: str, count: int, name: str | None = None) -> pa.StringArray:
        """Write `count` texts by the rule of the shared templates."""
        return language("templates").expand(rule, count, self.rng(name or rule))

    def moments(self, low: float, high: float, count: int, name: str) -> Ints:
        """Draw moments between two days of the window (may be negative: before it)."""
        return self.rng(name).integers(self.window.at(low), self.window.at(high), count)


_VERBS = ("read", "edit", "search", "run", "list", "apply_patch", "fetch", "plan")
_PUBLIC_PROMPTS = 160
_AGENTS = 5


def build_library(streams: Streams, sources: Sources) -> Library:
    """Write the public things of a world."""
    grammar = language("templates")
    prompts = grammar.expand("public_prompt", _PUBLIC_PROMPTS, streams.named("prompts")).to_pylist()
    wraps = grammar.expand("bench_wrap", 3, streams.named("wraps")).to_pylist()
    items = tuple(
        grammar.expand("bench_item", size, streams.named(f"bench {size}")) for size in (1320, 820, 164)
    )
    if len(sources.bench_items) >= len(items[0]):
        items = (pa.array(sources.bench_items[: len(items[0])], pa.string()), *items[1:])
    agents = tuple(build_agent(streams.within(f"agent {number}")) for number in range(_AGENTS))
    frameworks = grammar.expand("product_template", 6, streams.named("frameworks")).to_pylist()
    return Library(tuple(prompts), agents, tuple(frameworks), items, tuple(wraps))


def build_agent(streams: Streams) -> Agent:
    """Invent a coding agent: long rules, five tools."""
    grammar, rng = language("templates"), streams.named("shape")
    opening = grammar.expand("agent_open", 1, streams.named("open"))[0].as_py()
    rules = grammar.expand("agent_rule", int(rng.integers(14, 24)), streams.named("rules")).to_pylist()
    names = [_VERBS[index] for index in sorted(rng.choice(len(_VERBS), 5, replace=False))]
    says = grammar.expand("policy", 10, streams.named("tools")).to_pylist()
    tools = [_tool(name, says[2 * index : 2 * index + 2]) for index, name in enumerate(names)]
    product = opening.split()[0 if opening[:3] != "You" else 2].strip(",").lower()
    return Agent(
        name=product,
        system="\n".join([opening, "", *rules]),
        tools=msgspec.json.encode(tools, order="sorted").decode(),
        tool_names=tuple(names),
        user_agent=f"{product}-cli/{rng.integers(0, 3)}.{rng.integers(1, 40)}.0 node/22.11",
    )


def _tool(name: str, says: Sequence[str]) -> dict[str, object]:
    parameters = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": says[1]},
            "limit": {"type": "integer", "description": "most results"},
        },
        "required": ["path"],
    }
    return {"type": "function", "function": {"name": name, "description": says[0], "parameters": parameters}}
