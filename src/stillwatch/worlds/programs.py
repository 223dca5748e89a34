"""Honest fleets of programs: evaluations, gradings, explanations, licensed generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import hosts, roam
from stillwatch.worlds.cohorts import label_of, volumes
from stillwatch.worlds.conversations import RHYTHM, Rows, human, machine, single
from stillwatch.worlds.grammar import language
from stillwatch.worlds.honest import private_content
from stillwatch.worlds.part import LONG_REPLY, SHORT_REPLY, Part, Texts, assemble
from stillwatch.worlds.settings import Habit, settle
from stillwatch.worlds.stage import DAY, HOUR, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.identities import Records
    from stillwatch.worlds.shapes import Ints

COT_REPLY = (20, 60, 110, 150, 240, 380, 620, 1000, 1500, 2800, 6000)
"""Output tokens of benchmark answers with reasoning (assumption)."""


def evaluation_lab(stage: Stage, count: int) -> Part:
    """One laboratory on release day: several keys, the same public items, several samples, reasoning."""
    records = identities.organisation(stage, count, "evaluator")
    rng, day = stage.rng("lab"), stage.window.release_day
    passes = [(bench, 150) for bench in (0, 1)] * count
    key = np.repeat(np.arange(count), 2)
    rows, bench, item = _passes(stage, key, passes, stage.moments(day + 0.05, day + 0.3, len(key), "runs"), 5)
    habit = Habit(temperature=0.0, max_tokens=2048, stream=0.0, session=0.0, moves=1.0, lag_days=0.01)
    settings = settle(stage, habit, count, rows, one=True)
    sampled = bench == 1
    settings.n[:] = np.where(sampled, 4, 0)
    settings.temperature[:] = np.where(sampled, 0.8, 0.0)
    where = np.repeat(hosts("hosting", 2, rng)[None, :], count, axis=0)
    texts = _benchmark_texts(stage, bench, item)
    return assemble(
        stage, label_of(stage, records), rows, texts, settings, roam(rows.account, where, rng), COT_REPLY
    )


def public_benchmark(stage: Stage, count: int) -> Part:
    """Unrelated laboratories that run one public benchmark on the same day, each all items."""
    records = identities.businesses(stage, count, "evaluator")
    rng, day = stage.rng("labs"), stage.window.release_day + 1
    records.created_at = np.minimum(records.created_at, stage.window.at(day - 0.3))
    passes = [(0, 220)] * count
    rows, bench, item = _passes(
        stage, np.arange(count), passes, stage.moments(day, day + 0.6, count, "runs"), 8
    )
    habit = Habit(temperature=0.0, stream=0.0, session=0.0, moves=1.0, lag_days=0.05)
    where = np.stack([hosts("hosting", count, rng), hosts("hosting", count, rng)], axis=1)
    settings = settle(stage, habit, count, rows)
    texts = _benchmark_texts(stage, bench, item)
    return assemble(
        stage,
        label_of(stage, records),
        rows,
        texts,
        settings,
        roam(rows.account, where, rng, 0.95),
        COT_REPLY,
    )


def _passes(
    stage: Stage, account: Ints, passes: Sequence[tuple[int, int]], start: Ints, hours: float
) -> tuple[Rows, Ints, Ints]:
    """Lay out whole passes over the first items of benchmarks; returns rows, benchmark and item of each."""
    size = np.array([length for _, length in passes])
    run = np.repeat(np.arange(len(passes)), size)
    order = np.concatenate([np.arange(length) for length in size])
    pace = stage.rng("pace").uniform(0.5, 1.0, len(passes))[run] * hours * HOUR / size[run]
    ts = start[run] + ((order + stage.rng("jitter").random(len(run))) * pace).astype(np.int64)
    bench = np.array([number for number, _ in passes])[run]
    return single(account[run], np.minimum(ts, stage.window.end - 1)), bench, order


def _benchmark_texts(stage: Stage, bench: Ints, item: Ints) -> Texts:
    library = stage.library
    start = np.cumsum([0, *(len(items) for items in library.items)])
    known = pa.concat_arrays(list(library.items)).to_pylist()
    items = stage.pen.fixed(known, start[bench] + item)
    answer = stage.pen.say("answer", len(item), stage.rng("answers"))
    return Texts(prompt=stage.pen.fill(library.wraps, bench, items), answer=answer)


def nightly_evaluation(stage: Stage, count: int) -> Part:
    """A firm's own regression set, every night at the same hour from its build runners, the same items."""
    records = identities.organisation(stage, count, "ci")
    rng, nights = stage.rng("nightly"), stage.window.days
    each = 14
    account = np.repeat(np.arange(count), nights * each)
    night = np.tile(np.repeat(np.arange(nights), each), count)
    hour = rng.uniform(1, 5)
    ts = stage.window.start + night * DAY + int(hour * HOUR) + rng.integers(0, HOUR // 2, len(account))
    rows = single(account, ts)
    item = np.tile(np.arange(each), count * nights) + each * account
    items = private_content(
        stage, single(np.arange(each * count), np.arange(each * count)), (0, 0, 0, 0, 1, 2, 4, 6, 8, 12, 16)
    )
    template = stage.write("product_template", 1).to_pylist()
    texts = Texts(
        prompt=stage.pen.fill(template, np.zeros_like(account), stage.pen.take(items, item)),
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
        systems=stage.write("product_system", 1).to_pylist(),
        system=np.zeros_like(account),
    )
    settings = settle(
        stage, Habit(temperature=0.0, stream=0.0, session=0.0, moves=1.0), count, rows, one=True
    )
    runners = hosts("hosting", len(rows), rng)
    return assemble(stage, label_of(stage, records), rows, texts, settings, runners, SHORT_REPLY)


def explaining_product(stage: Stage, count: int) -> Part:
    """A tutoring product of one firm, a key for each region: every call asks for the whole reasoning."""
    records = identities.organisation(stage, count, "product")
    rng = stage.rng("explain")
    asked = volumes(stage, 75, 0.5, count)
    account = np.repeat(np.arange(count), asked)
    records.zone = np.array((-6, 0, 1, 8))[np.arange(count) % 4]
    rows = single(account, human(records.active(stage), records.zone, account, rng, RHYTHM))
    content = private_content(stage, rows, (0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 12))
    texts = Texts(
        prompt=content,
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
        systems=stage.write("explain_system", 1).to_pylist(),
        system=np.zeros_like(account),
    )
    return _hosted(stage, records, rows, texts, Habit(session=0.3), LONG_REPLY)


def grading_product(stage: Stage, count: int) -> Part:
    """A grading product: rubrics all day over the work of students, in term-time rhythm."""
    records = identities.organisation(stage, count, "product")
    rng = stage.rng("grading")
    account = np.repeat(np.arange(count), volumes(stage, 120, 0.4, count))
    rows = single(account, human(records.active(stage), records.zone, account, rng, RHYTHM))
    rubrics = stage.write("rubric_template", 6).to_pylist()
    sheet = stage.pen.fixed(stage.write("homework", 60).to_pylist(), rng.integers(0, 60, len(rows)))
    essay = stage.pen.documents(
        rng.integers(2, 9, len(rows)), np.zeros_like(account), stage.streams.within("essays")
    )
    texts = Texts(
        prompt=stage.pen.fill(rubrics, rng.integers(0, 6, len(rows)), sheet, essay),
        answer=stage.pen.say("statement", len(rows), stage.rng("answers")),
    )
    return _hosted(
        stage, records, rows, texts, Habit(temperature=0.0, max_tokens=1024, session=0.0), SHORT_REPLY
    )


def licensed_generation(stage: Stage, count: int) -> Part:
    """A customer whose contract allows synthetic data: fixed templates, day and night, long answers."""
    records = identities.organisation(stage, count, "licensed")
    rng = stage.rng("licensed")
    records.programme = np.full(count, "synthetic-data", dtype=object)
    records.declared_use = np.full(count, "synthetic data under contract", dtype=object)
    asked = volumes(stage, 120, 0.4, count)
    account, moment = machine(records.active(stage), asked, rng)
    rows = single(account, moment)
    seed = stage.pen.say("topic", len(rows), stage.rng("seeds"))
    texts = Texts(
        prompt=stage.pen.fill(
            stage.write("synth_template", 5).to_pylist(), rng.integers(0, 5, len(rows)), seed
        ),
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
    )
    habit = Habit(temperature=1.0, max_tokens=4096, session=0.0, stream=0.0, moves=1.0, lag_days=0.5)
    return _hosted(stage, records, rows, texts, habit, LONG_REPLY)


def red_team(stage: Stage, count: int) -> Part:
    """A declared red team: many variants of few goals, many refused."""
    records = identities.organisation(stage, count, "red_team")
    rng = stage.rng("red")
    records.programme = np.full(count, "security-research", dtype=object)
    account = np.repeat(np.arange(count), volumes(stage, 60, 0.3, count))
    rows = single(account, human(records.active(stage), records.zone, account, rng))
    goals = language("en").expand("request", 25, stage.rng("goals")).to_pylist()
    wraps = [
        f"{wrap.replace('[[1]]', '')} [[1]]" for wrap in stage.write("public_prompt", len(rows)).to_pylist()
    ]
    goal = stage.pen.fixed(goals, rng.integers(0, 25, len(rows)))
    texts = Texts(
        prompt=stage.pen.fill(wraps, np.arange(len(rows)), goal),
        answer=stage.pen.say("statement", len(rows), stage.rng("answers")),
    )
    return _hosted(stage, records, rows, texts, Habit(session=0.0), SHORT_REPLY)


def split_key(stage: Stage, count: int) -> Part:
    """A product whose one key becomes many on one day: new accounts of the same firm, the old prompts."""
    records = identities.organisation(stage, count, "product")
    rng = stage.rng("split")
    moved = stage.window.at(stage.window.days * 0.5)
    records.created_at = np.where(
        np.arange(count) == 0, stage.window.at(-300), moved + rng.integers(0, HOUR, count)
    )
    asked = np.where(np.arange(count) == 0, count * 10, 10)
    account, moment = machine(records.active(stage), asked, rng)
    moment = np.where(account == 0, stage.window.start + (moment - stage.window.start) // 2, moment)
    rows = single(account, moment)
    templates = stage.write("product_template", 3).to_pylist()
    content = private_content(stage, rows, (0, 0, 0, 0, 1, 2, 3, 5, 7, 12, 18))
    texts = Texts(
        prompt=stage.pen.fill(templates, rng.integers(0, 3, len(rows)), content),
        answer=stage.pen.say("answer", len(rows), stage.rng("answers")),
        systems=stage.write("product_system", 1).to_pylist(),
        system=np.zeros_like(account),
    )
    return _hosted(stage, records, rows, texts, Habit(), SHORT_REPLY)


def _hosted(
    stage: Stage, records: Records, rows: Rows, texts: Texts, habit: Habit, reply: Sequence[float]
) -> Part:
    """Put a fleet together that runs as one program on a few servers of its firm."""
    rng = stage.rng("servers")
    where = np.repeat(hosts("hosting", 3, rng)[None, :], len(records), axis=0)
    settings = settle(stage, habit, len(records), rows, one=True)
    return assemble(
        stage, label_of(stage, records), rows, texts, settings, roam(rows.account, where, rng, 0.5), reply
    )
