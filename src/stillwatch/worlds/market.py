"""Customers of later worlds: multi-tenant resellers, programmes, router users, a campus, a remote firm."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import exits, hosts, roam
from stillwatch.worlds.cohorts import label_of
from stillwatch.worlds.conversations import RHYTHM, Rows, single
from stillwatch.worlds.honest import TURNS, chat_texts, chatters, private_content, sessions
from stillwatch.worlds.part import SHORT_REPLY, Part, Texts, assemble
from stillwatch.worlds.prose import mother_tongues
from stillwatch.worlds.settings import Habit, settle
from stillwatch.worlds.shapes import Ints, draw, lognormal_table, pick, whole
from stillwatch.worlds.stage import HOUR, Stage

ROUTERS = ("OpenRoute/2.1", "ModelSwitch/0.9.4", "relay-gateway/1.14")


def resellers(stage: Stage, count: int) -> Part:
    """Firms that serve many customers of their own through one account each: all topics, tongues, hours.

    Seven in ten say so (`declared_use`), six in ten name their end users.
    """
    records = identities.businesses(stage, count, "reseller")
    rng = stage.rng("resellers")
    told = rng.random(count) < 0.7
    records.declared_use = identities.unless(~told, np.full(count, "resale to end users", object))
    records.created_at = np.minimum(records.created_at, stage.window.at(-5))
    rows = sessions(stage, records, lognormal_table(60, 1.1), TURNS, (1,) * len(RHYTHM))
    tongue = rows.by_opener(mother_tongues(len(rows), rng))
    customers = whole(draw(lognormal_table(40, 1.0), count, rng))[rows.account]
    customer = rows.by_opener((rng.random(len(rows)) * customers).astype(np.int64))
    named = pc.binary_join_element_wise(
        pa.array(rows.account).cast(pa.string()), pa.array(customer).cast(pa.string()), "-"
    )
    shown = (rng.random(count) < 0.6)[rows.account]
    where = exits("hosting", count * 2, max(2, count), rng).reshape(count, 2)
    return assemble(
        stage,
        records,
        rows,
        chat_texts(stage, rows, tongue),
        settle(stage, Habit(stream=0.7, session=0.3, tuned=0.5), count, rows),
        roam(rows.account, where, rng, 0.7),
        end_user=pc.if_else(pa.array(shown), named, None),
    )


def programmes(stage: Stage, count: int) -> Part:
    """Members of the operator's programmes, such as credits for research: chats and small jobs."""
    records = identities.businesses(stage, count, "programme")
    rng = stage.rng("programmes")
    kinds = np.array(("academic-credits", "start-up-credits", "non-profit"), dtype=object)
    records.programme = kinds[pick((50, 40, 10), count, rng)]
    records.plan = np.full(count, "credits", dtype=object)
    rows = sessions(stage, records, stage.traffic.volume(5.0, 1.0), TURNS)
    chats = chat_texts(stage, rows, np.zeros(len(rows), dtype=np.int64))
    job = (rng.random(len(rows)) < 0.5) & (rows.turn == 0)
    content = private_content(stage, rows, (0, 0, 0, 0, 1, 2, 4, 6, 9, 14, 20))
    templates = stage.write("product_template", count).to_pylist()
    prompt = stage.pen.choose(job, stage.pen.fill(templates, rows.account, content), chats.prompt)
    where = np.stack([records.home, hosts("office", count, rng)], axis=1)
    settings = settle(stage, Habit(), count, rows)
    return assemble(
        stage, records, rows, Texts(prompt, chats.answer), settings, roam(rows.account, where, rng)
    )


def fallback_router(stage: Stage, count: int) -> Part:
    """Customers of one router that bring their own keys: it turns to us while another provider is down.

    One client, few exits, and all of them at once for an hour, then hardly anything: synchronised like a job
    queue, with nothing in common but the software.
    """
    records = identities.businesses(stage, count, "router_user")
    rng = stage.rng("router")
    outages = np.sort(stage.moments(0.5, stage.window.days - 0.5, 5, "outages"))
    share = whole(draw(lognormal_table(14, 0.8), count, rng))
    account = np.repeat(np.arange(count), share)
    down = rng.random(len(account)) < 0.85
    spread = (rng.standard_exponential(len(account)) * 0.5 * HOUR).astype(np.int64)
    during = outages[rng.integers(0, len(outages), len(account))] + np.minimum(spread, 3 * HOUR)
    between = stage.moments(0, stage.window.days, len(account), "between")
    rows = _ordered(account, np.where(down, during, between), records.active(stage))
    tongue = mother_tongues(len(rows), rng)
    agent = ROUTERS[int(rng.integers(0, len(ROUTERS)))]
    habit = Habit(clients=(agent,), weights=(1,), stream=0.8, session=0.1, tuned=0.7)
    where = np.repeat(hosts("hosting", 4, rng)[None, :], count, axis=0)
    return assemble(
        stage,
        label_of(stage, records),
        rows,
        chat_texts(stage, rows, tongue),
        settle(stage, habit, count, rows),
        roam(rows.account, where, rng, 0.5),
        SHORT_REPLY,
    )


def _ordered(account: Ints, ts: Ints, active: tuple[Ints, Ints]) -> Rows:
    first, last = active[0][account], active[1][account]
    return single(account, np.clip(ts, first, np.maximum(last - 1000, first)))


def campus_nat(stage: Stage, count: int) -> Part:
    """People of one campus with accounts of all ages behind its few exits; nothing else in common."""
    records = identities.people(stage, count, "hobbyist")
    rng = stage.rng("campus")
    gate = int(hosts("office", 1, rng)[0])
    shared = gate + rng.integers(0, 3, (count, 2))
    records.signup_ip = np.where(rng.random(count) < 0.5, shared[:, 0], records.signup_ip)
    visited = np.concatenate([shared, records.home[:, None]], axis=1)
    return chatters(stage, label_of(stage, records), stage.traffic.volume(1.8, 0.9), visited)


def remote_firm(stage: Stage, count: int) -> Part:
    """A remote firm that moved to new keys for each employee in one week, on a VPN, with prepaid cards."""
    records = identities.people(stage, count, "seats")
    rng = stage.rng("remote")
    records.org_id = np.repeat(identities.tokens("org", 1, rng), count)
    records.created_at = stage.moments(1.0, 6.0, count, "moved")
    records.payment_kind = np.where(rng.random(count) < 0.6, "virtual_card", "card").astype(object)
    records.payment_fp = identities.tokens("card", count, rng)
    records.email_domain = np.repeat(identities.domains(1, rng), count)
    relay = exits("vpn", count * 2, 6, rng).reshape(count, 2)
    return chatters(stage, label_of(stage, records), lognormal_table(3.5, 0.8), relay)
