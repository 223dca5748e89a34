"""What a campaign's accounts say and with which settings: questions in templates, replays, cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds.campaigns import queue
from stillwatch.worlds.cards.harvest import write_templates
from stillwatch.worlds.cards.operation import Wording
from stillwatch.worlds.honest import chat_texts
from stillwatch.worlds.part import Texts
from stillwatch.worlds.settings import SDK_WEIGHTS, SDKS, Habit, Settings, settle
from stillwatch.worlds.shapes import pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from stillwatch.worlds.cards.operation import Operation
    from stillwatch.worlds.conversations import Rows
    from stillwatch.worlds.pen import Column
    from stillwatch.worlds.shapes import Ints
    from stillwatch.worlds.stage import Stage

    Flags = npt.NDArray[np.bool_]

KNOWN_WORDING = 0.4
"""Share of prompts reworded one by one that still ask in words which others use too; the rest shows nothing.
Near the 37.5 % of unseen elicitation that a published guard recognises (unmimic 0.1.0)."""
REPLAYED = 0.34
"""Share of a relay's exchanges that ask for the reasoning of an earlier session."""
RESOLD_TONGUES = (0.45, 0.35, 0.08, 0.06, 0.06)


class Kit(msgspec.Struct, frozen=True):
    """What the whole campaign shares.

    Attributes:
        templates: Templates that all accounts use; empty where each has its own.
        systems: System prompts in every request; empty for none.
        tools: Tool definitions beside them.
        clients: Client programs.
        temperature: Temperature of each job.
        max_tokens: Token limit of each job.
    """

    templates: tuple[str, ...]
    systems: tuple[str, ...]
    tools: tuple[str, ...]
    clients: tuple[str, ...]
    temperature: tuple[float, ...]
    max_tokens: tuple[int, ...]


def equip(stage: Stage, operation: Operation) -> Kit:
    """Draw what the whole campaign shares."""
    craft, rng = operation.craft, stage.rng("kit")
    shared = craft.wording in {Wording.FIXED, Wording.POOL, Wording.SESSIONS}
    written = write_templates(craft.wording, operation.wants, craft.templates, stage.rng("templates"))
    systems: list[str] = []
    tools: list[str] = []
    if craft.system_prompt and craft.wording is Wording.SESSIONS and not craft.replays_reasoning:
        agents = stage.library.agents[: craft.templates]
        systems, tools = [agent.system for agent in agents], [agent.tools for agent in agents]
    elif craft.system_prompt:
        systems = stage.write("product_system", 1).to_pylist()
    jobs = 1 if craft.wording is Wording.FIXED else 3
    drawn = pick(SDK_WEIGHTS, craft.clients, rng)
    return Kit(
        templates=tuple(written) if shared else (),
        systems=tuple(systems),
        tools=tuple(tools),
        clients=tuple(SDKS[index] for index in drawn.tolist()),
        temperature=tuple((1.0, 0.6, 0.7, 0.0)[index] for index in rng.permutation(4)[:jobs].tolist()),
        max_tokens=tuple((16384, 8192, 4096, 2048)[index] for index in rng.permutation(4)[:jobs].tolist()),
    )


def wanted_texts(stage: Stage, operation: Operation, kit: Kit, rows: Rows, accounts: int) -> Texts:
    """Write the campaign's own exchanges, one row each of `rows`."""
    craft, rng = operation.craft, stage.rng("asked")
    tongue = rows.by_opener(pick(operation.languages, len(rows), rng))
    question = _repeated(stage, queue(stage, tongue), craft.repeats)
    answer = stage.pen.spoken("answer", tongue, stage.streams.within("answers"))
    past = blocks = None
    if craft.wording is Wording.SESSIONS:
        prompt, blocks = _sessions(stage, operation, kit, rows, tongue)
        past = np.where(blocks > 0, blocks ^ 1, 0)
    elif craft.wording is Wording.EVERY:
        prompt = _every(stage, operation, rows, question, tongue)
    else:
        templates, which = _templates(stage, operation, kit, rows, accounts)
        reply = stage.pen.spoken("answer", tongue, stage.streams.within("candidates"))
        prompt = stage.pen.fill(templates, which, question, reply)
    system = rng.integers(0, len(kit.systems), accounts)[rows.account] if kit.systems else None
    return Texts(
        prompt=prompt,
        answer=answer,
        systems=kit.systems,
        system=system,
        tools=kit.tools,
        tool=system if kit.tools else None,
        past=past,
        blocks=blocks,
    )


def _templates(
    stage: Stage, operation: Operation, kit: Kit, rows: Rows, accounts: int
) -> tuple[Sequence[str], Ints]:
    """Return the templates of these accounts and the index of each row's."""
    craft, rng = operation.craft, stage.rng("which")
    chosen = rng.integers(0, craft.templates, len(rows))
    if craft.wording is not Wording.OWN:
        return kit.templates, chosen
    own = write_templates(craft.wording, operation.wants, craft.templates * accounts, stage.rng("own"))
    return own, rows.account * craft.templates + chosen


def _repeated(stage: Stage, question: Column, share: float) -> Column:
    """Let a share of the questions be one that another row asks too."""
    if share <= 0:
        return question
    rng, count = stage.rng("repeats"), stage.pen.sizes(question).shape[0]
    # a question that stands twice makes two repeated rows
    again = rng.random(count) < share / 2.0
    index = np.where(again, rng.integers(0, max(count, 1), count), np.arange(count))
    return stage.pen.take(question, index)


def _every(stage: Stage, operation: Operation, rows: Rows, question: Column, tongue: Ints) -> Column:
    """Reword every prompt: some still in words that others use, most in words of their own."""
    rng = stage.rng("reworded")
    known = np.flatnonzero(rng.random(len(rows)) < KNOWN_WORDING)
    own = write_templates(Wording.EVERY, operation.wants, len(known), stage.rng("own"))
    reply = stage.pen.spoken("answer", tongue[known], stage.streams.within("candidates"))
    asked = stage.pen.take(question, known)
    if not len(known):
        return question
    return stage.pen.put(question, known, stage.pen.fill(own, np.arange(len(known)), asked, reply))


def _sessions(stage: Stage, operation: Operation, kit: Kit, rows: Rows, tongue: Ints) -> tuple[Column, Ints]:
    """Replay sessions of other people; a part asks for an earlier session's reasoning."""
    said = chat_texts(stage.within("users"), rows, tongue).prompt
    blocks = np.zeros(len(rows), dtype=np.int64)
    if not operation.craft.replays_reasoning:
        return said, blocks
    rng = stage.rng("replays")
    asked = np.flatnonzero(rng.random(len(rows)) < REPLAYED)
    if len(asked):
        which = rng.integers(0, len(kit.templates), len(asked))
        filled = stage.pen.fill(
            kit.templates, which, stage.pen.take(said, asked), stage.pen.take(said, asked)
        )
        said = stage.pen.put(said, asked, filled)
        blocks[asked] = rng.integers(1, 1 << 61, len(asked)) << 1
    return said, blocks


def with_cover(stage: Stage, own: Texts, cover: Rows) -> Texts:
    """Put the chats of `cover` behind the campaign's own texts; they carry no system prompt of it."""
    rng, behind = stage.rng("tongues"), len(cover)
    tongue = cover.by_opener(pick(RESOLD_TONGUES, behind, rng))
    chats = chat_texts(stage.within("cover"), cover, tongue)
    pad = np.full(behind, -1, dtype=np.int64)
    nothing = np.zeros(behind, dtype=np.int64)
    join = stage.pen.concat
    return msgspec.structs.replace(
        own,
        prompt=join([own.prompt, chats.prompt]),
        answer=join([own.answer, chats.answer]),
        system=None if own.system is None else np.concatenate([own.system, pad]),
        tool=None if own.tool is None else np.concatenate([own.tool, pad]),
        past=None if own.past is None else np.concatenate([own.past, nothing]),
        blocks=None if own.blocks is None else np.concatenate([own.blocks, nothing]),
    )


def settings_of(
    stage: Stage, operation: Operation, kit: Kit, rows: Rows, wanted: Flags, accounts: int
) -> Settings:
    """Choose models, clients and sampling; the campaign's own exchanges have one of few fixed tuples."""
    craft = operation.craft
    models = (90, 0, 10) if craft.models == 1 else (40, 30, 30)
    habit = Habit(
        clients=kit.clients if craft.uniform_sampling else SDKS,
        weights=(1,) * len(kit.clients) if craft.uniform_sampling else SDK_WEIGHTS,
        stream=0.3,
        session=0.1,
        moves=min(1.0, craft.pivot_share + 0.05),
        lag_days=0.3,
        models=models,
        tuned=0.5,
    )
    settings = settle(stage, habit, accounts, rows)
    if not craft.uniform_sampling:
        return settings
    job = stage.rng("jobs").integers(0, len(kit.temperature), len(rows))
    settings.temperature[:] = np.where(wanted, np.array(kit.temperature)[job], settings.temperature)
    settings.top_p[:] = np.where(wanted, np.nan, settings.top_p)
    settings.max_tokens[:] = np.where(wanted, np.array(kit.max_tokens)[job], settings.max_tokens)
    return settings
