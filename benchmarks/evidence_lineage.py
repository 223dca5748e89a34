"""Lineage without marks, on the real answers at hand; `evidence_lineage_simulated.py` counts error rates.

    python benchmarks/evidence_lineage.py                    # ../shared/data/outputs, if it is there
    python benchmarks/evidence_lineage.py --answers DIR      # AlpacaEval, Arena-Hard or MT-Bench in DIR

What was chosen (scorer and weights) was chosen on one half of the prompts, which `_halves` draws; everything
printed here about real answers is from the other half. The models are the same on both halves. Labels are
those of `references_public`, frozen before. Twelve models lie at hand, one of them known to be taught by
people: they can show ranking and order, and cannot show an error rate, because the least p-value with so few
references is far above 0.05.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from harness import ROOT, finish, parser, row
from stillwatch.lineage.contrast import contrast_test, contrasts
from stillwatch.lineage.layouts import read_answers, read_folder
from stillwatch.lineage.references import ReferenceSet, Role
from stillwatch.lineage.references_copies import copies, without_copies
from stillwatch.lineage.references_public import public_models
from stillwatch.lineage.scorers import LINEAGE, SCORERS, TFIDF, Combined, affinities
from stillwatch.lineage.teachers import closest_set
from stillwatch.lineage.verdicts import LineageVerdict, judged

if TYPE_CHECKING:
    from stillwatch.lineage.answers import Answers

AT_HAND = ROOT.parent / "shared" / "data" / "outputs"
SIZES = (5, 10, 25, 50, 100)
ACCUSING = {LineageVerdict.SUPPORTS, LineageVerdict.STRONGLY_SUPPORTS}
# Versions that a label means; "openai" alone means either chat model.
SAME = {
    "openai/text_davinci_003": {"text_davinci_003"},
    "openai/gpt-3.5-turbo": {"gpt-3.5-turbo-0301", "gpt-3.5-turbo"},
    "openai/gpt-4": {"gpt4_0314", "gpt-4"},
    "openai": {"gpt-3.5-turbo-0301", "gpt-3.5-turbo", "gpt4_0314", "gpt-4"},
    "meta": {"Meta-Llama-3-70B-Instruct", "llama-3-70b-instruct"},
}
CHAT = SAME["openai"]


def main() -> int:
    args = _options()
    rows = []
    folder = args.answers or AT_HAND
    if folder.is_dir():
        rows += real(_answers(folder), args.draws, every=args.scorers)
    else:
        note = "no answers here: put AlpacaEval, Arena-Hard or MT-Bench answers into a folder, --answers DIR"
        for name, bar in (("top1/set/5/ours", ">= 0.65"), ("matched/auc_100", ">= 0.99")):
            rows.append(row(f"evidence/lineage/real/{name}", None, "share", bar, note=note))
    return finish("evidence_lineage", rows, strict=args.strict)


def _options():
    made = parser(__doc__)
    made.add_argument("--answers", type=Path, help="folder with answers of public models")
    made.add_argument("--draws", type=int, default=400, help="draws of prompts (default 400)")
    made.add_argument("--scorers", action="store_true", help="compare all scorers on the real answers")
    return made.parse_args()


def _answers(folder: Path) -> Answers:
    """Answers of models with a card; the files at hand carry the set's name before the model's."""
    if folder != AT_HAND:
        return read_folder(folder).answers
    found = [
        read_answers(path, path.name.removeprefix("alpaca_eval_").removesuffix(".jsonl.zst")).answers
        for path in sorted(folder.glob("alpaca_eval_*.jsonl.zst"))
        if "prompts" not in path.name
    ]
    whole = found[0]
    for one in found[1:]:
        whole = whole.and_also(one)
    return whole


def _halves(prompts):
    """Positions of the prompts that choices were made on, and of those that are judged on."""
    ordered = sorted(range(len(prompts)), key=lambda p: (len(prompts[p]), prompts[p]))
    mixed = np.random.default_rng(0).permutation(len(prompts))
    order = np.asarray(ordered)[mixed]
    return order[: len(order) // 2], order[len(order) // 2 :]


def _draws(pool, size, count, seed):
    rng = np.random.default_rng(seed)
    return [rng.choice(pool, min(size, pool.size), replace=False) for _ in range(count)]


def real(answers: Answers, draws: int, *, every: bool) -> list:
    known = public_models()
    names = [name for name in answers.models if name in known.names()]
    grid = answers.grid([name for name in without_copies(answers.only(names).grid()) if name in names])
    cards = ReferenceSet(tuple(known.card(name) for name in grid.models))
    candidates = [c.name for c in cards.cards if c.role not in {Role.STUDENT, Role.BASE}]
    judged_on = _halves(grid.prompts)
    ours, base = (affinities(scorer, grid, candidates) for scorer in (LINEAGE, TFIDF))
    rows = [
        row(
            "evidence/lineage/real/models",
            len(grid.models),
            "models",
            note=f"{len(grid.prompts)} prompts, judged on {judged_on[1].size}; {len(candidates)} candidates",
        )
    ]
    rows += _ranking(ours, base, cards, judged_on, draws)
    rows += _nested(grid, candidates, cards, judged_on, min(draws, 200))
    rows += _matched(ours, cards, judged_on[1], draws)
    rows += _each_scorer(grid, candidates, cards, judged_on[1], draws) if every else []
    rows += _left_out(ours.on(judged_on[1]), cards)
    rows += _naive(base.on(judged_on[1]), cards)
    return [*rows, *_copies(grid)]


def _labels(card, candidates, *, exact):
    """Candidates that count as the true teacher; none where the label does not name one of them."""
    of = card.teachers[:1] if exact else card.teachers
    if exact and of[0] == "openai":
        return set()
    accepted = set().union(*(SAME.get(teacher, set()) for teacher in of))
    if not exact and accepted & CHAT and of != ("openai/gpt-4",):
        accepted |= CHAT if len(card.teachers) > 1 or of == ("openai/gpt-3.5-turbo",) else set()
    return accepted & set(candidates)


def _top1(found, cards, draws, *, exact):
    """Share of (student, draw of prompts) in which the nearest candidate is a true teacher."""
    hits = []
    for card in cards.cards:
        right = _labels(card, found.teachers, exact=exact) if card.role is Role.STUDENT else set()
        if right:
            scores = found.row(card.name)
            nearest = [found.teachers[int(scores[picked].mean(axis=0).argmax())] for picked in draws]
            hits.append(np.mean([name in right for name in nearest]))
    return float(np.mean(hits)), len(hits)


def _ranking(ours, base, cards, halves, count):
    rows = []
    for exact, kind in ((False, "set"), (True, "exact")):
        chosen = {n: _top1(base, cards, _draws(halves[0], n, count, 1), exact=exact)[0] for n in SIZES}
        at = min(SIZES, key=lambda size, chosen=chosen: abs(chosen[size] - 0.53))
        for size in SIZES:
            draws = _draws(halves[1], size, count, 2)
            (plain, pairs), (best, _) = (_top1(one, cards, draws, exact=exact) for one in (base, ours))
            where = f"{pairs} pairs x {count} draws of {size} answers, labels: {kind}"
            if size == at:
                where += "; the size at which the baseline is nearest 53 % on the other half"
            name, bar = f"evidence/lineage/real/top1/{kind}/{size}", ">= 0.65" if size == at else None
            rows.append(row(f"{name}/tfidf", plain, "share", note=where))
            rows.append(row(f"{name}/ours", best, "share", bar, note=where))
    rows += _sets(ours, cards, _draws(halves[1], 100, 40, 4))
    whole = [halves[1]]
    for kind, found in (("tfidf", base), ("ours", ours)):
        share, pairs = _top1(found, cards, whole, exact=True)
        note = f"{pairs} pairs, all {halves[1].size} judged prompts, exact labels"
        rows.append(row(f"evidence/lineage/real/top1/exact/all/{kind}", share, "share", note=note))
    return rows


class _Stored:
    """Scores that were computed once, for trying weights."""

    version = 1

    def __init__(self, scorer, grid, candidates):
        self.name = scorer.name
        self._values = scorer.scores(grid, grid.positions(candidates))

    def scores(self, _grid, _teachers):
        return self._values


def _nested(grid, candidates, cards, halves, count):
    """Weights chosen without the judged student, on one half of the prompts; judged on the other half."""
    stored = [_Stored(part, grid, candidates) for _, part in LINEAGE.parts]
    grids = [
        (1.0, 1.0, 1.0, habits, form)
        for habits in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
        for form in (0.0, 1.0, 2.0, 3.0)
    ]
    found = [
        affinities(Combined("tried", tuple(zip(weights, stored, strict=True))), grid, candidates)
        for weights in grids
    ]
    rows = []
    for size, exact in ((5, False), (10, False), (10, True)):
        first, second = _draws(halves[0], size, count, 1), _draws(halves[1], size, count, 2)
        hits = []
        for card in cards.cards:
            if card.role is Role.STUDENT and _labels(card, candidates, exact=exact):
                alone, others = ReferenceSet((card,)), cards.without([card.name])
                best = max(found, key=lambda one, of=others: _top1(one, of, first, exact=False)[0])
                hits.append(_top1(best, alone, second, exact=exact)[0])
        note = f"{size} answers; weights out of {len(grids)} chosen on the other students and prompts"
        name = f"evidence/lineage/real/top1/{'exact' if exact else 'set'}/{size}/nested"
        rows.append(row(name, np.mean(hits), "share", note=note))
    return rows


def _sets(found, cards, draws):
    """How often the true teacher is among those that 100 answers cannot tell from the nearest."""
    rng, inside, sizes = np.random.default_rng(0), [], []
    for card in cards.cards:
        right = _labels(card, found.teachers, exact=False) if card.role is Role.STUDENT else set()
        for picked in draws if right else ():
            members = closest_set(found.on(picked), card.name, level=0.05, rng=rng, resamples=200).members
            inside.append(bool(right & set(members)))
            sizes.append(len(members))
    note = f"100 answers; mean size {np.mean(sizes):.2f} of {len(found.teachers)}"
    return [row("evidence/lineage/real/closest_set_covers", np.mean(inside), "share", ">= 0.95", note=note)]


def _sides(found, cards, vendor="openai"):
    """Versions of the accused, and models of other vendors, among the columns."""
    makers = {card.name: card.vendor for card in cards.cards}
    accused = [name for name in found.teachers if makers[name] == vendor]
    return accused, [name for name in found.teachers if makers[name] not in {vendor, ""}]


def _matched(found, cards, pool, count):
    """Order of students and matched non-students, by the contrast with 100 answers of each."""
    accused, others = _sides(found, cards)
    rows = []
    for name, roles, bar in (
        ("auc_100", {Role.HUMAN, Role.BASE}, ">= 0.99"),
        ("auc_100_with_disputed", None, None),
    ):
        pairs = [
            (student.name, other.name)
            for student in cards.students_of("openai").cards
            for other in cards.matched(student).cards
            if (other.role in roles if roles else other.role in {Role.HUMAN, Role.BASE, Role.UNKNOWN})
        ]
        if not pairs:
            rows.append(
                row(f"evidence/lineage/real/matched/{name}", None, "AUC", bar, note="no matched pair")
            )
            continue
        wins = []
        for picked in _draws(pool, 100, count, 3):
            value = dict(zip(found.models, contrasts(found.on(picked), accused, others), strict=True))
            wins += [float(value[a] > value[b]) + 0.5 * float(value[a] == value[b]) for a, b in pairs]
        note = (
            f"{len({a for a, _ in pairs})} students, {len({b for _, b in pairs})} non-students of one base "
            f"({', '.join(sorted({b for _, b in pairs}))}), {count} draws"
        )
        rows.append(row(f"evidence/lineage/real/matched/{name}", np.mean(wins), "AUC", bar, note=note))
    return rows


def _each_scorer(grid, candidates, cards, pool, count):
    rows = []
    for scorer in SCORERS:
        found = affinities(scorer, grid, candidates)
        at, name = f"{count} draws", f"evidence/lineage/real/scorer/{scorer.name}"
        for size in (10, 100):
            share, pairs = _top1(found, cards, _draws(pool, size, count, 2), exact=False)
            rows.append(row(f"{name}/top1_{size}", share, "share", note=f"{pairs} pairs x {at}, labels: set"))
        plain, _ = _matched(found, cards, pool, count)
        rows.append(row(f"{name}/auc_100", plain.value, "AUC", note=plain.note))
    return rows


def _left_out(found, cards):
    """Every model against every vendor that it is not known to have learned from, itself left out.

    With matched references, as a verdict asks for, and with all of them, which no verdict may use.
    """
    verdicts, p_all, p_matched, needed = [], [], [], []
    for card in cards.cards:
        for vendor in ("openai", "meta", "google", "anthropic"):
            accused, others = _sides(found, cards, vendor)
            innocent = cards.without([card.name]).innocent_of(vendor)
            taught = vendor in {t.partition("/")[0] for t in card.teachers}
            if taught or card.vendor == vendor or card.role is Role.UNKNOWN or not innocent.cards:
                continue
            rest = [name for name in others if name != card.name]
            if not accused or not rest:
                continue
            matched = cards.without([card.name]).matched(card).innocent_of(vendor)
            for references, values in ((innocent, p_all), (matched, p_matched)):
                if references.cards:
                    test = contrast_test(found, card.name, accused, rest, references)
                    verdicts.append(judged(test))
                    needed.append(verdicts[-1].needed - verdicts[-1].references)
                values.append(test.p if references.cards else 1.0)
    accusing = sum(one.verdict in ACCUSING for one in verdicts)
    refused = sum(one.verdict is LineageVerdict.REFUSED for one in verdicts)
    note = f"{len(p_all)} non-pairs, {len(verdicts)} tests, {refused} refused for want of references"
    missing = f"{min(needed, default=0)} to {max(needed, default=0)} families are missing"
    name = "evidence/lineage/real/non_pairs"
    return [
        row(f"{name}/accused", accusing, "verdicts", "<= 0", note=note),
        row(f"{name}/refused", refused, "verdicts", note=missing),
        row(
            f"{name}/p_excess",
            _excess(p_matched),
            "share above level",
            "<= 0",
            note=f"largest of (share of p <= level) - level at 0.05, 0.1, 0.2; matched references; "
            f"least p of all {min(p_matched):.2g}, so this cannot fail with so few",
        ),
        row(
            f"{name}/p_excess_unmatched",
            _excess(p_all),
            "share above level",
            note="the same with references of any base, size and era: not a valid null, shown for comparison",
        ),
    ]


def _excess(p_values):
    p = np.array(p_values)
    return max(float(np.mean(p <= level)) - level for level in (0.05, 0.1, 0.2)) if p.size else None


def naive_p(found, model, teacher):
    """Paired t-test over prompts against the mean of the candidates: what must not be done."""
    scores = found.row(model)
    gap = scores[:, found.columns([teacher])[0]] - np.nanmean(scores, axis=1)
    return stats.ttest_1samp(gap, 0.0, alternative="greater").pvalue


def _naive(found, cards):
    nulls = [
        naive_p(found, card.name, teacher.name) <= 0.01
        for card in cards.cards
        if card.role is Role.HUMAN
        for teacher in cards.cards
        if teacher.role is Role.TEACHER
    ]
    share = np.mean(nulls) if nulls else None
    note = (
        f"control that must fail: {sum(nulls)} of {len(nulls)} true nulls rejected when prompts are the unit"
    )
    return [row("evidence/lineage/real/naive_rejects_at_0.01", share, "share", note=note)]


def _copies(grid):
    few = grid.restricted(range(0, len(grid.prompts), 4))
    width, found = len(few.models), 0
    for one in range(width):
        texts = tuple(
            text
            for p in range(len(few.prompts))
            for text in (
                *few.texts[p * width : (p + 1) * width],
                f" {few.texts[p * width + one].strip()[:-1]}\n",
            )
        )
        named = type(few)(few.prompts, (*few.models, "renamed"), texts)
        found += [group.models for group in copies(named)] == [(few.models[one], "renamed")]
    return [
        row(
            "evidence/lineage/real/copies_found",
            found / width,
            "share",
            ">= 1",
            note="each model once more under another name; nothing else may be called a copy",
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
