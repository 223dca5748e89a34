"""Lineage without marks, on simulated populations: error rates, coverage, power, level of imitation.

    python benchmarks/evidence_lineage_simulated.py

Suspects are fresh models, not references left out in turn: ranks of the latter are uniform by construction
and would prove nothing. Words without prose: power and ranking here say nothing about real models
(`evidence_lineage.py` measures ranking on real answers).
"""

from __future__ import annotations

import sys

import numpy as np

from evidence_lineage import ACCUSING, naive_p
from harness import finish, parser, row
from stillwatch.lineage.contrast import contrast_test
from stillwatch.lineage.identity import same_source, text_kernel
from stillwatch.lineage.imitation import imitation
from stillwatch.lineage.planning import contrast_by_prompt, contrast_power, measured_spread
from stillwatch.lineage.references import ReferenceSet, Role
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import LINEAGE, TFIDF, WORDS, affinities
from stillwatch.lineage.teachers import possible_teachers
from stillwatch.lineage.verdicts import judged

WORLD = Population(prompts=60, vendors=4, bases=1, innocents=119, students=40, contamination=0.08)
REFERENCES = 79  # the fewest for 0.05 over four hypotheses; the other innocents are the suspects
TEACHERS = tuple(f"teacher-{number}" for number in range(WORLD.vendors))


def simulated_rows(seeds) -> list:
    seeds = tuple(seeds)
    counts = {
        key: [] for key in ("p", "e", "fwer", "power", "naive", "set", "size", "plan", "top_ours", "top_base")
    }
    for seed in seeds:
        _one_world(seed, counts, full=seed <= 2)
    rng = np.random.default_rng(0)
    same = [_identity(rng, 0.0) for _ in range(200)]
    other = [_identity(rng, 0.6) for _ in range(50)]
    p = np.array(counts["p"])
    worlds = (
        f"{len(seeds)} populations of {WORLD.innocents} innocents and {WORLD.students} students, 4 vendors"
    )
    name = "evidence/lineage/simulated"

    def stated(key, value, unit, bar=None, note=worlds, used=seeds):
        return row(f"{name}/{key}", value, unit, bar, seeds=used, note=note)

    return [
        *(_null_row(stated, np.mean(p <= level), level, 4 * len(seeds)) for level in (0.05, 0.1, 0.2)),
        stated(
            "null_e_mean", np.mean(counts["e"]), "e", _e_bar(counts["e"], len(seeds)), "1 and three errors"
        ),
        _null_row(
            stated,
            np.mean(counts["fwer"]),
            0.05,
            len(seeds),
            "false_verdicts",
            f"{len(counts['fwer'])} innocents, each against all 4 vendors at 0.05 together; ",
        ),
        stated(
            "naive_rejects_at_0.01",
            np.mean(counts["naive"]),
            "share",
            None,
            "control that must fail: prompts as the unit",
        ),
        stated(
            "power_at_0.05", np.mean(counts["power"]), "share", None, "verdicts on students, 4 hypotheses"
        ),
        stated(
            "planned_power", np.mean(counts["plan"]), "share", None, "what `contrast_power` says beforehand"
        ),
        stated(
            "teacher_in_set_at_0.1",
            np.mean(counts["set"]),
            "share",
            ">= 0.87",
            f"{len(counts['set'])} students; 0.9 less three standard errors; "
            f"mean size {np.mean(counts['size']):.2f} of 4",
        ),
        stated("top1/tfidf", np.mean(counts["top_base"]), "share", None, "dose 0.03, 20 prompts", seeds[:2]),
        stated("top1/ours", np.mean(counts["top_ours"]), "share", None, "dose 0.03, 20 prompts", seeds[:2]),
        stated(
            "identity/size_at_0.05",
            np.mean(np.array(same) <= 0.05),
            "share",
            "<= 0.096",
            "200 own endpoints, 20 prompts, 4 + 1 answers; 0.05 and three standard errors",
            (0,),
        ),
        stated(
            "identity/power_at_0.05",
            np.mean(np.array(other) <= 0.05),
            "share",
            None,
            "50 endpoints of which 60 % of the words come from elsewhere",
            (0,),
        ),
        *_mismatch_rows(name),
        *_imitation_rows(name),
    ]


def _null_row(stated, share, level, groups, name="", note=""):
    """A share under the null; suspects of one population meet the same references, which widens the error."""
    suspects = WORLD.innocents - REFERENCES
    error = np.sqrt(level * (1.0 - level) * (1.0 / (REFERENCES + 1) + 1.0 / suspects) / groups)
    bar = f"<= {level + 3 * error:.3f}"
    note += f"{suspects} fresh innocents in each population, {REFERENCES} references; bar: level + 3 errors"
    return stated(name or f"null_p_below_{level}", share, "share", bar, note)


def _e_bar(values, worlds):
    means = np.array(values).reshape(worlds, -1).mean(axis=1)
    return f"<= {1.0 + 3.0 * means.std(ddof=1) / np.sqrt(worlds):.3f}" if worlds > 1 else None


def _one_world(seed, counts, *, full):
    world = simulated(WORLD, np.random.default_rng(seed))
    found = affinities(WORDS, world.grid, TEACHERS)
    cards = world.references
    human = ReferenceSet(tuple(card for card in cards.cards if card.role is Role.HUMAN))
    references = ReferenceSet(human.cards[:REFERENCES])
    for card in human.cards[REFERENCES:]:
        tests = [_test(found, card.name, number, references) for number in range(4)]
        counts["p"] += [test.p for test in tests]
        counts["e"] += [np.exp(test.log_e) for test in tests]
        counts["fwer"].append(any(judged(test, hypotheses=4).verdict in ACCUSING for test in tests))
        counts["naive"] += [naive_p(found, card.name, teacher) <= 0.01 for teacher in TEACHERS]
    taught = {c.name: f"teacher-{c.teachers[0][-1]}" for c in cards.cards if c.role is Role.STUDENT}
    for name, teacher in taught.items():
        test = _test(found, name, int(teacher[-1]), references)
        counts["power"].append(judged(test, hypotheses=4).verdict in ACCUSING)
        remaining = possible_teachers(found, name, taught, level=0.1)
        counts["set"].append(teacher in remaining.members)
        counts["size"].append(len(remaining.members))
    counts["plan"].append(_planned_power(found, references, taught))
    if full:
        _closed_set(seed, counts)


def _test(found, name, number, innocent):
    others = [teacher for teacher in TEACHERS if teacher != TEACHERS[number]]
    return contrast_test(found, name, [TEACHERS[number]], others, innocent)


def _planned_power(found, human, taught):
    others = list(TEACHERS[1:])
    own = [name for name, teacher in taught.items() if teacher == TEACHERS[0]]
    spread = measured_spread(
        contrast_by_prompt(found, human.names(), TEACHERS[:1], others),
        contrast_by_prompt(found, own, TEACHERS[:1], others),
    )
    return contrast_power(spread, references=len(human.cards), queries=len(found.prompts), level=0.05 / 4)


def _closed_set(seed, counts):
    """34 students, 14 candidates, as in the full AlpacaEval set; weak students and few prompts."""
    population = Population(prompts=20, vendors=14, bases=2, innocents=10, students=34, dose=0.03)
    world = simulated(population, np.random.default_rng(seed))
    teachers = [f"teacher-{number}" for number in range(14)]
    for key, scorer in (("top_base", TFIDF), ("top_ours", LINEAGE)):
        mean = affinities(scorer, world.grid, teachers).mean()
        nearest = dict(
            zip(
                world.grid.models,
                mean.argmax(axis=1) if not np.isnan(mean).any() else np.nanargmax(mean, axis=1),
                strict=True,
            )
        )
        counts[key] += [
            f"vendor-{nearest[c.name]}/teacher-{nearest[c.name]}" in c.teachers
            for c in world.references.cards
            if c.teachers
        ]


def _identity(rng, shift):
    words = np.array([f"word{number}" for number in range(60)])
    rows = []
    for _ in range(20):
        own = rng.dirichlet(np.full(60, 0.4))
        other = (1.0 - shift) * own + shift * rng.dirichlet(np.full(60, 0.4))
        said = [" ".join(rng.choice(words, 30, p=own)) for _ in range(4)]
        rows.append([*said, " ".join(rng.choice(words, 30, p=other))])
    return same_source(text_kernel(rows), 4, rng=rng, permutations=199).p


def _mismatch_rows(name):
    """What goes wrong with references of another base, when a base leans to the accused by itself."""
    p = {"matched": [], "another_base": []}
    for seed in (1, 2, 3):
        population = Population(bases=2, innocents=100, students=4, base_leaning=0.08)
        world = simulated(population, np.random.default_rng(seed))
        found = affinities(WORDS, world.grid, TEACHERS)
        human = [card for card in world.references.cards if card.role is Role.HUMAN]
        suspects = [card for card in human if card.base == "base-0"][:20]
        names = {card.name for card in suspects}
        for key, base in (("matched", "base-0"), ("another_base", "base-1")):
            of = ReferenceSet(tuple(c for c in human if c.base == base and c.name not in names))
            p[key] += [_test(found, card.name, 0, of).p for card in suspects]
    note = "60 innocents of a base that leans to the accused by itself"
    shares = ((key, float(np.mean(np.array(values) <= 0.05))) for key, values in p.items())
    return [
        row(f"{name}/references_{key}/p_below_0.05", share, "share", seeds=(1, 2, 3), note=note)
        for key, share in shares
    ]


def _imitation_rows(name):
    """Level of imitation against the dose that was given, one student for each dose."""
    rows = []
    for dose in (0.0, 0.25, 0.5, 1.0):
        population = Population(
            vendors=1, bases=1, innocents=20, students=4, dose=dose * 0.9, contamination=0.03
        )
        world = simulated(population, np.random.default_rng(77))
        found = affinities(WORDS, world.grid, ["teacher-0"])
        null = [card.name for card in world.references.cards if card.role is Role.HUMAN]
        level = imitation(
            found, "student-0", "teacher-0", "teacher-0@run1", null, rng=np.random.default_rng(0)
        )
        note = f"interval {level.low:.2f} to {level.high:.2f}; dose {dose * 0.9:.0%} of the words"
        rows.append(row(f"{name}/imitation/dose_{dose}", level.level, "level", seeds=(77,), note=note))
    return rows


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, default=8, help="simulated populations (default 8)")
    args = made.parse_args()
    rows = simulated_rows(range(1, args.seeds + 1))
    return finish("evidence_lineage_simulated", rows, strict=args.strict)


if __name__ == "__main__":
    sys.exit(main())
