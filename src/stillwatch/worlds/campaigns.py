"""Campaigns after the public cards: one fixed prompt with a second pool, and a hydra that mixes resale in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import hosts, roam
from stillwatch.worlds.conversations import GAPS, Rows, human, single, turns
from stillwatch.worlds.enforcement import actions
from stillwatch.worlds.honest import TURNS, chat_texts
from stillwatch.worlds.part import LONG_REPLY, Part, Texts, assemble
from stillwatch.worlds.settings import Habit, Settings, settle
from stillwatch.worlds.shapes import Floats, Ints, draw, lognormal_table, pick
from stillwatch.worlds.stage import DAY, HOUR, Stage

if TYPE_CHECKING:
    import pyarrow as pa

    from stillwatch.worlds.identities import Records
    from stillwatch.worlds.pen import Column
    from stillwatch.worlds.scenario import FixedPrompt, Hydra

QUESTION_MIX = (0.6, 0.2, 0.08, 0.06, 0.06)
"""Languages of the questions that a campaign asks."""


def fixed_prompt(stage: Stage, plan: FixedPrompt) -> tuple[Part, pa.Table]:
    """Play the campaign `plan`; returns its traffic and the operator's bans."""
    sizes = [max(4, round(size * stage.scale)) for size in (plan.accounts, plan.second_pool)]
    records = _pools(stage, sizes, plan)
    pool = np.repeat([0, 1], sizes)
    ban = _bans(stage, pool, plan)
    rows = _harvest(stage, plan, pool, ban)
    settings = _fixed_settings(stage, len(records), rows)
    rng = stage.rng("exit")
    exits = np.stack([records.home, *(hosts("home", len(records), rng) for _ in range(2))], axis=1)
    several = (rng.random(len(records)) < 0.35)[rows.account]
    ip = np.where(several, roam(rows.account, exits, rng, 0.4), records.home[rows.account])
    answered = np.where(rows.ts >= ban[rows.account], 403, 0)
    part = assemble(
        stage,
        records,
        rows,
        _questions(stage, rows),
        settings,
        ip,
        LONG_REPLY,
        strand=np.ones(len(rows), dtype=bool),
        answered=answered,
    )
    banned = np.flatnonzero(ban < stage.window.end)
    return part, actions(banned, ban[banned], "ban", "usage policy: automated collection of outputs")


def _pools(stage: Stage, sizes: list[int], plan: FixedPrompt) -> Records:
    """Accounts bought in batches: shared virtual cards, disposable mail, own residential exits."""
    count, rng = sum(sizes), stage.rng("pools")
    records = identities.people(stage, count, "campaign")
    batch = rng.integers(0, 9, count) + np.repeat([0, 100], sizes)
    opened = {
        int(number): rng.uniform(-14, -1) if number < 100 else rng.uniform(-6, plan.ban_day - 0.3)
        for number in np.unique(batch)
    }
    day = np.array([opened[int(number)] for number in batch]) + rng.uniform(0, 0.25, count)
    records.created_at = stage.window.start + (day * 86_400_000).astype(np.int64) * 1000
    card = rng.permutation(count) // 4
    shared = identities.tokens("card", int(card.max()) + 1, rng)[card]
    throwaway = rng.random(count) < 0.72
    records.payment_kind = np.where(
        throwaway, "virtual_card", np.where(rng.random(count) < 0.6, "card", "prepaid")
    ).astype(object)
    records.payment_fp = np.where(throwaway, shared, identities.tokens("card", count, rng))
    records.plan = np.full(count, "pay_as_you_go", dtype=object)
    records.email_domain = identities.mail(count, rng, 0.7)
    records.signup_ip = np.where(rng.random(count) < 0.5, records.home, hosts("home", count, rng))
    records.verified = identities.verified(count, (0.98, 0.3, 0.75, 0.0, 0.01), rng)
    return name(records, plan.id)


def name(records: Records, campaign: str) -> Records:
    """Write the campaign into the truth of these accounts."""
    records.campaign = np.full(len(records), campaign, dtype=object)
    return records


def _bans(stage: Stage, pool: Ints, plan: FixedPrompt) -> Ints:
    """Moment of each account's ban; beyond the window for those that the operator missed."""
    rng = stage.rng("bans")
    wave = rng.choice([0.0, 0.06], len(pool)) + rng.uniform(0, 0.02, len(pool))
    caught = (pool == 0) & (rng.random(len(pool)) < plan.banned_share)
    at = stage.window.at(plan.ban_day) + (wave * DAY).astype(np.int64)
    return np.where(caught, at, stage.window.end + DAY)


def _harvest(stage: Stage, plan: FixedPrompt, pool: Ints, ban: Ints) -> Rows:
    """When the pools ask: uneven volumes, runs of the work queue, the second pool within hours of the ban."""
    rng, window = stage.rng("harvest"), stage.window
    takeover = window.at(plan.ban_day) + rng.integers(HOUR, 7 * HOUR, len(pool))
    begin = np.where(pool == 0, window.at(0.4) + rng.integers(0, 2 * DAY, len(pool)), takeover)
    stop = np.where(pool == 0, np.minimum(ban + 2 * HOUR, window.end), window.end)
    rate = plan.per_day * draw(lognormal_table(0.86, 0.55), len(pool), rng)
    quiet = rng.random(len(pool)) < plan.quiet_share
    days = (stop - begin) / DAY
    counts = rng.poisson(np.where(quiet, 0.15, 1.0) * rate * days)
    account = np.repeat(np.arange(len(pool)), counts)
    ts = begin[account] + (rng.random(len(account)) * (stop - begin)[account]).astype(np.int64)
    ts = on_shift(ts, shifts(stage, plan.idle_share), rng)
    tried = (
        (ts >= begin[account]) & (ts < stop[account]) & ((ts < ban[account]) | (rng.random(len(ts)) < 0.35))
    )
    return single(account[tried], ts[tried])


def shifts(stage: Stage, idle_share: float) -> Floats:
    """Draw the hours in which a shared job runs: a work rate for each hour of the window."""
    rng = stage.rng("shifts")
    hours = stage.window.days * 24
    length = 6
    blocks = rng.random(hours // length + 1) >= idle_share
    return np.repeat(np.where(blocks, rng.uniform(0.5, 1.5, len(blocks)), 0.05), length)[:hours]


def on_shift(ts: Ints, rate: Floats, rng: np.random.Generator) -> Ints:
    """Move moments into hours in which the job runs: each stays or goes to a busier hour near it."""
    hour = HOUR * np.arange(len(rate))
    start = ts.min() // DAY * DAY if len(ts) else 0
    index = np.clip((ts - start) // HOUR, 0, len(rate) - 1)
    idle = rng.random(len(ts)) > rate[index]
    moved = np.clip(index + rng.integers(-14, 15, len(ts)), 0, len(rate) - 1)
    better = idle & (rate[moved] > rate[index])
    return np.where(better, start + hour[moved] + rng.integers(0, HOUR, len(ts)), ts)


def _questions(stage: Stage, rows: Rows) -> Texts:
    """The queue of questions without repeats, each inside the one fixed prompt."""
    rng = stage.rng("queue")
    tag = str(rng.choice(["thinking", "reasoning", "scratchpad", "analysis"]))
    template = stage.write("inline_prompt", 1)[0].as_py().replace("TAG", tag)
    question = queue(stage, pick(QUESTION_MIX, len(rows), rng))
    answer = stage.pen.spoken("answer", np.zeros(len(rows), dtype=np.int64), stage.streams.within("answers"))
    alone = np.zeros(len(rows), dtype=np.int64)
    return Texts(
        prompt=stage.pen.fill([template], alone, question),
        answer=stage.pen.fill([f"<{tag}>[[1]]</{tag}>"], alone, answer),
    )


def queue(stage: Stage, tongue: Ints) -> Column:
    """Write one question for each language index in `tongue`, over many fields, no two the same."""
    context = (0, 0, 0, 0, 0, 0, 1, 3, 6, 12, 20)
    asked = stage.pen.turn(tongue, stage.streams.within("questions"), "opener", context)
    real = np.flatnonzero(tongue == 0)[: len(stage.sources.questions)]
    if len(real):
        asked = stage.pen.put(asked, real, stage.pen.fixed(stage.sources.questions, np.arange(len(real))))
    return stage.pen.distinct(asked, tongue, stage.streams.within("again"))


def _fixed_settings(stage: Stage, accounts: int, rows: Rows) -> Settings:
    """Three clients of one collector; pinned limits, the temperature left alone by one of them."""
    clients = ("OpenAI/Python 2.31.0", "python-httpx/0.28.1", "OpenAI/Python 2.54.0")
    habit = Habit(
        clients=clients,
        weights=(5, 3, 2),
        stream=0.2,
        session=0.05,
        moves=0.96,
        lag_days=0.25,
        models=(90, 0, 10),
    )
    settings = settle(stage, habit, accounts, rows)
    rng = stage.rng("sampling")
    settings.platform[settings.platform.astype(bool)] = "python|2.31.0|Linux|x64|CPython|3.11.9"
    kind = pick((50, 30, 20), accounts, rng)[rows.account]
    settings.temperature[:] = np.array([1.0, 0.6, np.nan])[kind]
    settings.top_p[:] = np.array([0.95, np.nan, np.nan])[kind]
    settings.max_tokens[:] = np.array([16384, 8192, 0])[kind]
    return settings


def hydra(stage: Stage, plan: Hydra) -> tuple[Part, pa.Table]:
    """Play the campaign `plan`: a pool of templates inside accounts that also carry resold chats."""
    count = max(6, round(plan.accounts * stage.scale))
    records = name(_hydra_accounts(stage, count), plan.id)
    rng = stage.rng("hydra")
    volume = plan.per_day * stage.window.days * draw(lognormal_table(0.85, 0.6), count, rng)
    share = np.clip(plan.share * draw(lognormal_table(1.0, 0.3), count, rng), 0.02, 0.95)
    share = np.where(rng.random(count) < plan.quiet_share, share * 0.08, share)
    jobs = _jobs(stage, plan, rng.poisson(volume * share))
    cover = _resale(stage, rng.poisson(volume * (1 - share) / 2.0))
    rows, wanted = _both(jobs, cover)
    texts = _hydra_texts(stage, plan, rows, wanted)
    settings = _hydra_settings(stage, count, rows, wanted)
    exits = np.stack([records.home, hosts("home", count, rng), hosts("hosting", count, rng)], axis=1)
    ip = roam(rows.account, exits, rng, 0.75)
    part = assemble(stage, records, rows, texts, settings, ip, LONG_REPLY, strand=wanted)
    few = rng.choice(count, max(1, count // 40), replace=False)
    return part, actions(
        few, stage.moments(2, stage.window.days, len(few), "hydra bans"), "ban", "payment dispute"
    )


def _hydra_accounts(stage: Stage, count: int) -> Records:
    """Accounts opened over two months, some bought aged; payments mixed, a part of them shared."""
    records = identities.people(stage, count, "campaign")
    rng = stage.rng("hydra accounts")
    aged = rng.random(count) < 0.25
    day = np.where(aged, -rng.uniform(60, 500, count), -rng.uniform(0.5, 60, count))
    records.created_at = stage.window.start + (day * 86_400_000).astype(np.int64) * 1000
    paid = rng.random(count) < 0.3
    shared = identities.tokens("card", max(1, count // 5), rng)[rng.integers(0, max(1, count // 5), count)]
    kind = np.array(("card", "virtual_card", "prepaid"), dtype=object)[pick((55, 30, 15), count, rng)]
    records.payment_kind = kind
    records.payment_fp = np.where(paid, shared, identities.tokens("card", count, rng))
    records.plan = np.full(count, "pay_as_you_go", dtype=object)
    records.email_domain = identities.mail(count, rng, 0.25)
    return records


def _jobs(stage: Stage, plan: Hydra, counts: Ints) -> Rows:
    rng, window = stage.rng("jobs"), stage.window
    account = np.repeat(np.arange(len(counts)), counts)
    rate = shifts(stage, plan.idle_share)
    hour = pick(rate, len(account), rng)
    ts = window.start + hour * HOUR + rng.integers(0, HOUR, len(account))
    late = rng.uniform(-plan.jitter_hours, plan.jitter_hours, len(counts))[account]
    ts = ts + (late * 3600).astype(np.int64) * 1_000_000
    return single(account, window.start + (ts - window.start) % (window.end - window.start))


def _resale(stage: Stage, counts: Ints) -> Rows:
    """Chats of the reseller's own customers: other people, with clocks all over the world."""
    rng = stage.rng("resale")
    account = np.repeat(np.arange(len(counts)), counts)
    zone = rng.integers(-8, 10, len(account))
    window = stage.window
    active = (np.full(len(account), window.start), np.full(len(account), window.end))
    start = human(active, zone, np.arange(len(account)), rng)
    return turns(account, start, np.maximum(draw(TURNS, len(account), rng).astype(np.int64), 1), GAPS, rng)


def _both(jobs: Rows, cover: Rows) -> tuple[Rows, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    rows = Rows(
        np.concatenate([jobs.account, cover.account]),
        np.concatenate([jobs.ts, cover.ts]),
        np.concatenate([jobs.opener, cover.opener + len(jobs)]),
        np.concatenate([jobs.turn, cover.turn]),
    )
    return rows, np.arange(len(rows)) < len(jobs)


def _hydra_texts(
    stage: Stage, plan: Hydra, rows: Rows, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Texts:
    rng, count = stage.rng("templates"), int(wanted.sum())
    templates = stage.write("pool_template", plan.templates).to_pylist()
    tongue = pick(QUESTION_MIX, count, rng)
    task = queue(stage, tongue)
    reply = stage.pen.spoken("answer", tongue, stage.streams.within("candidates"))
    asked = stage.pen.fill(templates, rng.integers(0, plan.templates, count), task, reply)
    tail = Rows(rows.account[count:], rows.ts[count:], rows.opener[count:] - count, rows.turn[count:])
    theirs = rows.by_opener(pick((0.45, 0.35, 0.08, 0.06, 0.06), len(rows), rng))[count:]
    chats = chat_texts(stage.within("cover"), tail, theirs)
    graded = stage.pen.spoken("answer", np.zeros(count, dtype=np.int64), stage.streams.within("graded"))
    both = stage.pen.concat
    return Texts(both([asked, chats.prompt]), both([graded, chats.answer]))


def _hydra_settings(
    stage: Stage, accounts: int, rows: Rows, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Settings:
    habit = Habit(stream=0.5, session=0.15, moves=0.8, lag_days=1.0, tuned=0.5)
    settings, rng = settle(stage, habit, accounts, rows), stage.rng("sampling")
    job = pick((45, 35, 20), len(rows), rng)
    settings.temperature[:] = np.where(wanted, np.array([0.7, 0.0, 1.0])[job], settings.temperature)
    settings.top_p[:] = np.where(wanted, np.nan, settings.top_p)
    settings.max_tokens[:] = np.where(wanted, np.array([8192, 2048, 4096])[job], settings.max_tokens)
    settings.session[:] = settings.session & ~wanted
    return settings
