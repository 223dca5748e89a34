"""The honest base population: people, firms, programs, agents, pipelines. Nobody here is coordinated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import identities, prose
from stillwatch.worlds.addresses import hosts, roam
from stillwatch.worlds.conversations import (
    GAPS,
    OFFICE,
    RHYTHM,
    Rows,
    human,
    machine,
    single,
    turns,
)
from stillwatch.worlds.grammar import language
from stillwatch.worlds.part import SHORT_REPLY, Part, Texts, assemble
from stillwatch.worlds.settings import CHAT, Habit, settle
from stillwatch.worlds.shapes import Ints, draw, lognormal_table, pick, whole, zipf_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.identities import Records
    from stillwatch.worlds.pen import Column
    from stillwatch.worlds.stage import Agent, Stage

Flags = npt.NDArray[np.bool_]
TURNS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 10, 14)
"""Turns of a chat, quantiles at `LEVELS`; ShareGPT has a median of 3 with long chats over-represented."""
AGENT_TURNS = (1, 1, 1, 2, 2, 4, 6, 9, 11, 14, 16)
"""Turns of a coding session, cut short for the size of the logs; public sessions have a median of 42."""


def chat_texts(stage: Stage, rows: Rows, tongue: Ints, context: Sequence[float] = prose.CONTEXT) -> Texts:
    """Write chats: an opener, then follow-ups, in the tongue (language index) of each row."""
    first = rows.turn == 0
    prompt = _merge(
        stage,
        first,
        stage.pen.turn(tongue[first], stage.streams.within("openers"), "opener", context),
        stage.pen.turn(tongue[~first], stage.streams.within("follow"), "follow", prose.FOLLOW_CONTEXT),
    )
    prompt = _real_chat(stage, prompt, first, tongue)
    return Texts(prompt=prompt, answer=stage.pen.spoken("answer", tongue, stage.streams.within("answers")))


def _real_chat(stage: Stage, prompt: Column, first: Flags, tongue: Ints) -> Column:
    """Put real turns in the place of generated English ones where sources have them."""
    for texts, rows in ((stage.sources.openers, first), (stage.sources.follow_ups, ~first)):
        places = np.flatnonzero(rows & (tongue == 0))
        if texts:
            real = stage.pen.dealt(texts, len(places), stage.rng(f"real {len(texts)}"))
            prompt = stage.pen.put(prompt, places, real)
    return prompt


def sessions(
    stage: Stage,
    records: Records,
    volume: Sequence[float],
    lengths: Sequence[float],
    rhythm: Sequence[float] = RHYTHM,
) -> Rows:
    """Lay out the sessions of people: how many each has, when they start, how many turns they take."""
    rng = stage.rng("sessions")
    count = whole(draw(volume, len(records), rng), 0)
    account = np.repeat(np.arange(len(records)), count)
    start = human(records.active(stage), records.zone, account, rng, rhythm)
    return turns(account, start, whole(draw(lengths, len(account), rng)), GAPS, rng)


def places(stage: Stage, records: Records, kinds: Sequence[str] = ("home", "mobile")) -> Ints:
    """Draw the usual addresses of each account: where it lives first, then one of each of `kinds`."""
    rng = stage.rng("places")
    return np.stack([records.home, *(hosts(kind, len(records), rng) for kind in kinds)], axis=1)


def hobbyists(stage: Stage, count: int) -> Part:
    """People who chat: few sessions, many topics, a human day."""
    records = identities.people(stage, count, "hobbyist")
    households(stage, records)
    return chatters(stage, records, stage.traffic.volume(1.6, 0.9))


def households(stage: Stage, records: Records) -> None:
    """Let a few people pay with the card of somebody near them: families, flatmates, small teams."""
    rng = stage.rng("households")
    member = np.flatnonzero(rng.random(len(records)) < 0.06)
    family = np.arange(len(member)) // rng.choice([2, 3, 4])
    card = identities.tokens("card", len(member) + 1, rng)[family]
    paying = records.payment_kind[member] == "card"
    records.payment_fp[member[paying]] = card[paying]
    records.home[member] = (
        records.home[member[np.minimum(family * 2, len(member) - 1)]] if len(member) else member
    )


def chatters(stage: Stage, records: Records, volume: Sequence[float], ip: Ints | None = None) -> Part:
    """Chats of the people in `records`, from their homes and phones or from the given usual addresses."""
    rng = stage.rng("chat")
    rows = sessions(stage, records, volume, TURNS)
    tongue = prose.mother_tongues(len(records), rng)[rows.account]
    visited = places(stage, records) if ip is None else ip
    return assemble(
        stage,
        records,
        rows,
        chat_texts(stage, rows, tongue),
        settle(stage, CHAT, len(records), rows),
        roam(rows.account, visited, rng),
    )


def developers(stage: Stage, count: int) -> Part:
    """People who try the API: probes such as "ping", small scripts, then nothing for days."""
    records = identities.people(stage, count, "developer")
    rng = stage.rng("developer")
    rows = sessions(stage, records, stage.traffic.volume(2.2, 0.9), TURNS)
    probes = (
        "hi",
        "ping",
        "Hello!",
        "test",
        "Say this is a test",
        "Write a haiku",
        "What is 2+2?",
        "Tell me a joke",
    )
    texts = chat_texts(stage, rows, np.zeros(len(rows), dtype=np.int64))
    probe = (rng.random(len(rows)) < 0.22) & (rows.turn == 0)
    said = stage.pen.fixed(probes, pick((9, 5, 5, 7, 9, 4, 4, 4), len(rows), rng))
    texts = Texts(prompt=stage.pen.choose(probe, said, texts.prompt), answer=texts.answer)
    settings = settle(stage, Habit(moves=0.6), len(records), rows)
    return assemble(
        stage, records, rows, texts, settings, roam(rows.account, places(stage, records, ("hosting",)), rng)
    )


def prompt_collectors(stage: Stage, count: int) -> Part:
    """People who use one to thirty prompts of public lists again and again, filled with their own topics."""
    records = identities.people(stage, count, "prompt_list")
    rng = stage.rng("collector")
    rows = sessions(stage, records, lognormal_table(4.0, 0.9), (1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 7))
    shelf = whole(draw((1, 1, 1, 1, 2, 4, 9, 16, 22, 29, 30), count, rng))
    known = pick(stage.library.popularity, count * 30, rng).reshape(count, 30)
    slot = (rng.random(len(rows)) * shelf[rows.account]).astype(np.int64)
    topic = stage.pen.say("topic", len(rows), stage.rng("topics"))
    listed = stage.pen.fill(stage.library.prompts, known[rows.account, slot], topic)
    texts = chat_texts(
        stage, rows, prose.mother_tongues(count, rng, (0.8, 0.05, 0.06, 0.04, 0.05))[rows.account]
    )
    own = (rows.turn > 0) | (rng.random(len(rows)) < 0.15)
    texts = Texts(prompt=stage.pen.choose(own, texts.prompt, listed), answer=texts.answer)
    settings = settle(stage, CHAT, count, rows)
    return assemble(stage, records, rows, texts, settings, roam(rows.account, places(stage, records), rng))


def seats(stage: Stage, count: int) -> Part:
    """Employees of one company: one domain, one bill, office hours, a few office exits, work of all kinds."""
    records = identities.organisation(stage, count, "seats")
    rng = stage.rng("seats")
    rows = sessions(stage, records, lognormal_table(4.0, 0.8), TURNS, OFFICE)
    home = hosts("home", count, rng)
    visited = np.stack([records.home, records.home + 1, home], axis=1)
    tongue = np.where(rng.random(count) < 0.7, 0, prose.mother_tongues(count, rng))[rows.account]
    texts = chat_texts(stage, rows, tongue, (0, 0, 0, 0, 0, 1, 2, 8, 16, 40, 60))
    return assemble(
        stage, records, rows, texts, settle(stage, CHAT, count, rows), roam(rows.account, visited, rng, 0.6)
    )


def products(stage: Stage, count: int) -> Part:
    """Software products: one account and system prompt each, volumes apart by thousands.

    Each has a few templates of its own; three in ten also use the default template of a public library,
    as hundreds of unrelated products do.
    """
    records = identities.businesses(stage, count, "product")
    rng = stage.rng("product")
    counts = whole(draw(lognormal_table(28, 1.2), count, rng))
    account, moment = machine(records.active(stage), counts, rng, stage.sources.clients)
    rows = single(account, moment)
    content = private_content(stage, rows, (0, 0, 0, 0, 1, 2, 4, 8, 12, 20, 30))
    owned, public = rng.integers(1, 4, count), stage.library.frameworks
    which = account * 3 + (rng.random(len(rows)) * owned[account]).astype(np.int64)
    templates = [*stage.write("product_template", count * 3).to_pylist(), *public]
    borrowed = (rng.random(count) < 0.3)[account] & (rng.random(len(rows)) < 0.7)
    favourite = pick(zipf_weights(len(public)), count, rng)
    which = np.where(borrowed, count * 3 + favourite[account], which)
    texts = Texts(
        prompt=stage.pen.fill(templates, which, content),
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
        systems=stage.write("product_system", count).to_pylist(),
        system=account,
    )
    settings = settle(stage, Habit(session=0.2), count, rows)
    where = np.stack([hosts("hosting", count, rng), hosts("hosting", count, rng)], axis=1)
    users = language("en").expand("#4", len(rows), stage.rng("end users"))
    named = pc.if_else(pa.array((rng.random(count) < 0.35)[account]), users, None)
    return assemble(
        stage, records, rows, texts, settings, roam(account, where, rng, 0.7), SHORT_REPLY, end_user=named
    )


def private_content(stage: Stage, rows: Rows, sentences: Sequence[float]) -> Column:
    """Write what customers put into a product: an opener or pasted sentences, each its own."""
    rng = stage.rng("content")
    tongue = np.where(rng.random(len(rows)) < 0.85, 0, prose.mother_tongues(len(rows), rng))
    return stage.pen.turn(tongue, stage.streams.within("content"), "opener", sentences)


def pipelines(stage: Stage, count: int) -> Part:
    """Batch pipelines: one template over a firm's documents, day and night, nearly constant lengths."""
    records = identities.businesses(stage, count, "batch")
    rng = stage.rng("batch")
    counts = whole(draw(lognormal_table(70, 1.0), count, rng))
    account, moment = machine(records.active(stage), counts, rng, stage.sources.clients)
    rows = single(account, moment)
    size = rng.integers(2, 12, count)[account]
    wobble = np.where((rng.random(count) < 0.3)[account], rng.integers(0, 7, len(rows)), 0)
    document = stage.pen.documents(
        size + wobble, np.zeros(len(rows), dtype=np.int64), stage.streams.within("documents")
    )
    prompt = stage.pen.fill(stage.write("batch_template", count).to_pylist(), account, document)
    if stage.sources.bulk:
        prompt = _real_bulk(stage, account)
    texts = Texts(prompt=prompt, answer=stage.pen.say("statement", len(rows), stage.rng("answers")))
    settings = settle(stage, Habit(moves=0.25, stream=0.05, session=0.05), count, rows)
    where = np.stack([hosts("hosting", count, rng), hosts("hosting", count, rng)], axis=1)
    return assemble(stage, records, rows, texts, settings, roam(account, where, rng, 0.8), SHORT_REPLY)


def _real_bulk(stage: Stage, account: Ints) -> Column:
    """Real documents in real templates: each pipeline sends the prompts of one template, again and again."""
    rng, bulk = stage.rng("bulk"), stage.sources.bulk
    sizes = np.array([len(prompts) for prompts in bulk])
    template = rng.permutation(len(bulk))[account % len(bulk)]
    start = (np.cumsum(sizes) - sizes)[template]
    index = start + (rng.random(len(account)) * sizes[template]).astype(np.int64)
    return stage.pen.fixed([text for prompts in bulk for text in prompts], index)


def coders(stage: Stage, count: int) -> Part:
    """Users of public coding agents: strangers with one system prompt and tool schema, long sessions."""
    records = identities.people(stage, count, "agent_user")
    which = pick((40, 25, 17, 11, 7), count, stage.rng("which agent"))
    return agent_sessions(stage, records, stage.library.agents, which, lognormal_table(1.6, 0.8))


def agent_sessions(
    stage: Stage,
    records: Records,
    agents: Sequence[Agent],
    which: Ints,
    volume: Sequence[float],
    since: Ints | None = None,
) -> Part:
    """Coding sessions of the people in `records`.

    Args:
        stage: Window and streams.
        records: The people.
        agents: Coding agents.
        which: Index of each person's agent.
        volume: Quantiles of the number of sessions.
        since: Moment from which each person uses the agent, if not from the start.
    """
    rng = stage.rng("agent")
    rows = _agent_rows(stage, records, volume, since)
    first = rows.turn == 0
    from_tool = ~first & (rng.random(len(rows)) < 0.86)
    mine = which[rows.account]
    settings = settle(stage, AGENT, len(records), rows)
    settings.user_agent[:] = np.array([agent.user_agent for agent in agents], dtype=object)[mine]
    texts = Texts(
        prompt=_agent_prompts(stage, first, from_tool),
        answer=stage.pen.say("agent_say", len(rows), stage.rng("says"), "templates"),
        systems=tuple(agent.system for agent in agents),
        system=mine,
        tools=tuple(agent.tools for agent in agents),
        tool=mine,
        from_tool=from_tool,
        tool_called=_tool_called(stage, agents, mine, from_tool),
    )
    ip = roam(rows.account, places(stage, records, ("office",)), rng)
    return assemble(stage, records, rows, texts, settings, ip, stage.traffic.agent_reply)


AGENT = Habit(moves=0.7, lag_days=1.5, stream=0.9, session=0.9, tuned=0.1, models=(30, 5, 65))
"""Settings of coding agents."""


def _agent_rows(stage: Stage, records: Records, volume: Sequence[float], since: Ints | None) -> Rows:
    active = records.active(stage)
    if since is not None:
        active = np.maximum(active[0], since), active[1]
    rng = stage.rng("sessions")
    account = np.repeat(np.arange(len(records)), whole(draw(volume, len(records), rng), 0))
    start = human(active, records.zone, account, rng)
    return turns(
        account,
        start,
        whole(draw(stage.traffic.agent_turns, len(account), rng)),
        stage.traffic.agent_gaps,
        rng,
    )


def _agent_prompts(stage: Stage, first: Flags, from_tool: Flags) -> Column:
    rng = stage.rng("seen")
    size = np.where(from_tool, whole(draw((1, 1, 1, 1, 1, 3, 6, 12, 18, 28, 34), len(first), rng)), 1)
    seen = stage.pen.packed("tool_output", size, rng, "\n")
    asked = stage.pen.choose(
        first,
        stage.pen.say("agent_task", len(first), stage.rng("tasks"), "templates"),
        stage.pen.say("follow", len(first), stage.rng("follow")),
    )
    return stage.pen.choose(from_tool, seen, asked)


def _tool_called(stage: Stage, agents: Sequence[Agent], mine: Ints, from_tool: Flags) -> pa.StringArray:
    """Name the tool that an answer calls: it does when the next turn of the conversation is a tool's."""
    tools = np.array([agent.tool_names for agent in agents], dtype=object)
    used = tools[mine, stage.rng("tools").integers(0, tools.shape[1], len(mine))]
    return pa.array(used, pa.string(), mask=~np.append(from_tool[1:], False))


def _merge(stage: Stage, mask: Flags, yes: Column, no: Column) -> Column:
    order = np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return stage.pen.take(stage.pen.concat([yes, no]), back)
