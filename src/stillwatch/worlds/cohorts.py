"""Honest fleets of people: a class, an onboarding day, a launch, resold access, shared addresses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import identities, prose
from stillwatch.worlds.addresses import exits, hosts, roam
from stillwatch.worlds.conversations import OFFICE, RHYTHM
from stillwatch.worlds.honest import TURNS, agent_sessions, chat_texts, chatters, sessions
from stillwatch.worlds.identities import Records, label
from stillwatch.worlds.part import Part, Texts, assemble
from stillwatch.worlds.settings import CHAT, Habit, settle
from stillwatch.worlds.shapes import Ints, draw, lognormal_table, pick, whole
from stillwatch.worlds.stage import DAY, HOUR, Stage, build_agent


def university_class(stage: Stage, count: int) -> Part:
    """Students of one course: accounts within two hours, one campus, the same exercises, human days."""
    records = identities.people(stage, count, "student")
    rng = stage.rng("class")
    campus = hosts("office", 1, rng)
    records.created_at = stage.moments(1.37, 1.46, count, "enrolment")
    records.zone = np.repeat(records.zone[:1], count)
    records.country = np.repeat(records.country[:1], count)
    records.email_domain = np.full(count, f"students.campus-{rng.integers(1000, 9999)}.edu", dtype=object)
    records.signup_ip = np.where(records.signup_ip > 0, campus, 0)
    records.plan, records.payment_kind = np.full(count, "free", object), np.full(count, "none", object)
    records.payment_fp = identities.blank(count)
    rows = sessions(stage, records, lognormal_table(2.5, 0.6), TURNS)
    sheet = stage.write("homework", 14).to_pylist()
    due = np.clip((rows.ts - stage.window.at(1.4)) * 4 // (8 * DAY), 0, 3)
    exercise = np.minimum(due * 3 + rng.integers(0, 5, len(rows)), 13)
    texts = chat_texts(stage, rows, np.zeros(len(rows), dtype=np.int64))
    asked = (rows.turn == 0) & (rng.random(len(rows)) < 0.8)
    texts = Texts(
        prompt=stage.pen.choose(asked, stage.pen.fixed(sheet, exercise), texts.prompt), answer=texts.answer
    )
    visited = np.stack([np.repeat(campus, count), np.repeat(campus + 1, count), records.home], axis=1)
    settings = settle(stage, CHAT, count, rows)
    return assemble(
        stage, label_of(stage, records), rows, texts, settings, roam(rows.account, visited, rng, 0.5)
    )


def onboarding(stage: Stage, count: int) -> Part:
    """A company gives all its employees a seat on one morning; they use its one assistant."""
    records = identities.organisation(stage, count, "seats")
    rng = stage.rng("onboarding")
    records.created_at = stage.moments(2.36, 2.5, count, "seats given out")
    rows = sessions(stage, records, lognormal_table(3.2, 0.8), TURNS, OFFICE)
    said = chat_texts(stage, rows, np.zeros(len(rows), dtype=np.int64), (0, 0, 0, 0, 0, 1, 3, 8, 14, 25, 40))
    texts = Texts(
        said.prompt, said.answer, stage.write("product_system", 1).to_pylist(), np.zeros_like(rows.account)
    )
    visited = np.stack([records.home, records.home + 1, hosts("home", count, rng)], axis=1)
    settings = settle(stage, CHAT, count, rows, one=True)
    return assemble(
        stage, label_of(stage, records), rows, texts, settings, roam(rows.account, visited, rng, 0.7)
    )


def agent_launch(stage: Stage, count: int) -> Part:
    """Strangers take up a new agent product within days: organic growth, one system prompt, private work."""
    records = identities.people(stage, count, "agent_user")
    curve = np.interp(np.arange(stage.window.days), (0, 1.9, 2, 3, 4, 6, 12), (0, 0, 3, 9, 14, 8, 5))
    day = pick(curve, count, stage.rng("adoption")) + stage.rng("hour").random(count)
    adopted = stage.window.start + (day * DAY).astype(np.int64)
    records.created_at = np.where(stage.rng("new").random(count) < 0.7, adopted, records.created_at)
    agent = build_agent(stage.streams.within("product"))
    records = label_of(stage, records)
    none = np.zeros(count, dtype=np.int64)
    return agent_sessions(stage, records, (agent,), none, lognormal_table(1.5, 0.8), since=adopted)


def clean_reseller(stage: Stage, count: int) -> Part:
    """Accounts through which a declared reseller serves many customers: all topics, tongues and hours."""
    records = identities.businesses(stage, count, "reseller")
    rng = stage.rng("reseller")
    records.reseller_of = np.repeat(identities.tokens("reseller", 1, rng), count)
    records.created_at = np.minimum(records.created_at, stage.window.at(-20))
    records.payment_fp = np.repeat(identities.tokens("invoice", 1, rng), count)
    records.payment_kind = np.full(count, "invoice", dtype=object)
    rows = sessions(stage, records, lognormal_table(16, 0.7), TURNS, (1,) * len(RHYTHM))
    tongue = rows.by_opener(prose.mother_tongues(len(rows), rng))
    gates = exits("hosting", len(rows), 3, rng)
    habit = Habit(clients=("TokenRelay/2.3.1",), weights=(1,), stream=0.9, session=0.3, tuned=0.2)
    users = rows.by_opener(stage.rng("users").integers(10_000, 99_999, len(rows)))
    named = pc.binary_join_element_wise(pa.scalar("u"), pa.array(users).cast(pa.string()), "")
    return assemble(
        stage,
        label_of(stage, records),
        rows,
        chat_texts(stage, rows, tongue),
        settle(stage, habit, count, rows),
        gates,
        end_user=named,
        channel="reseller",
    )


def carrier_nat(stage: Stage, count: int) -> Part:
    """People whose mobile carrier shows one address for all of them; nothing else in common."""
    records = identities.people(stage, count, "hobbyist")
    rng = stage.rng("carrier")
    shared = np.repeat(hosts("mobile", 1, rng), count)
    records.signup_ip = np.where(rng.random(count) < 0.6, shared, 0)
    visited = np.stack([shared, shared, hosts("mobile", count, rng)], axis=1)
    return chatters(stage, label_of(stage, records), lognormal_table(1.8, 0.9), visited)


def privacy_relay(stage: Stage, count: int) -> Part:
    """People behind a VPN who also like virtual cards and throw-away mail."""
    records = identities.people(stage, count, "hobbyist")
    rng = stage.rng("privacy")
    relay = exits("vpn", count * 3, 18, rng).reshape(count, 3)
    virtual = rng.random(count) < 0.28
    records.payment_kind = np.where(virtual, "virtual_card", records.payment_kind).astype(object)
    records.payment_fp = np.where(virtual, identities.tokens("card", count, rng), records.payment_fp)
    records.email_domain = identities.mail(count, rng, 0.22)
    records.signup_ip = np.where(rng.random(count) < 0.5, relay[:, 0], 0)
    return chatters(stage, label_of(stage, records), lognormal_table(1.9, 0.9), relay)


def sign_up_burst(stage: Stage, count: int) -> Part:
    """People who come from one article within hours, try a prompt or two, some of them the article's own."""
    records = identities.people(stage, count, "hobbyist")
    rng = stage.rng("burst")
    start = stage.window.at(float(rng.uniform(1, stage.window.days - 3)))
    lag = np.minimum(rng.standard_exponential(count) * 3 * HOUR, 20 * HOUR).astype(np.int64)
    records.created_at = start + lag
    rows = sessions(stage, records, (1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9), TURNS)
    suggested = stage.write("homework", 3, "article").to_pylist()
    texts = chat_texts(stage, rows, np.zeros(len(rows), dtype=np.int64))
    copied = (rows.turn == 0) & (rng.random(len(rows)) < 0.3)
    said = stage.pen.fixed(suggested, rng.integers(0, 3, len(rows)))
    texts = Texts(stage.pen.choose(copied, said, texts.prompt), texts.answer)
    visited = np.stack([records.home, hosts("mobile", count, rng)], axis=1)
    settings = settle(stage, CHAT, count, rows)
    return assemble(stage, label_of(stage, records), rows, texts, settings, roam(rows.account, visited, rng))


def label_of(stage: Stage, records: Records) -> Records:
    """Name the fleet after the stage on which it plays."""
    return label(records, stage.streams.scope.rpartition("/")[2])


def volumes(stage: Stage, median: float, sigma: float, count: int) -> Ints:
    """Draw how many requests each account of a fleet sends."""
    return whole(draw(lognormal_table(median, sigma), count, stage.rng("volume")))
