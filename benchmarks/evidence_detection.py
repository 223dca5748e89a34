"""How often the search for marks is wrong, how much text it needs, and how fast it is.

    python benchmarks/evidence_detection.py [--part error|power|speed|golden] [--quick] [--strict]

Error: unmarked and wrong-key texts, single, pooled, templated and repetitive, each tested under 10,000 random
keys or more. The p-values are exact, so the share below a level must lie within binomial bounds around it.
Power: texts that the real scheme marks under the key of one of 24,000 accounts, of several entropies. Speed:
a ratio to a plain loop, measured in turns in one run, since seconds say more about the machine.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard
from numba import njit
from scipy import stats

from harness import finish, parser, row
from stillwatch.mark import prf
from stillwatch.mark.detection.decoys import decoy_keys
from stillwatch.mark.detection.evidence import collect
from stillwatch.mark.detection.keyfile import KeyTable
from stillwatch.mark.detection.likelihood import likelihood_log_e
from stillwatch.mark.detection.nulls import log_tail, matched_moments_log_tail, z_scores
from stillwatch.mark.detection.report import Settings
from stillwatch.mark.detection.scan import totals
from stillwatch.mark.detection.search import combined_log_p, detect
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax

HUMAN = Path(__file__).resolve().parents[1] / "../shared/data/bench/gsm8k_train.jsonl.zst"
LEVELS = (0.05, 1e-2, 1e-3)
SEED = 20261122
SCHEMES = {
    "gumbel-4": GumbelMax(4),
    "gumbel-1": GumbelMax(1),
    "dual-4": DualKeyGumbel(4),
    "green-1": GreenList(0.25, context_width=1),
    "green-4": GreenList(0.25, context_width=4),
}
CELL_ERROR = 1e-5
"""Probability that a right null leaves its bounds, for each of about a hundred comparisons."""

ACCOUNTS, FAMILY_LEVEL = 24_000, 1e-5


# Texts without a mark -------------------------------------------------------------------------------------


def prose(rng, count, length, vocabulary=3000, successors=12):
    """A bigram model with Zipf frequencies: contexts repeat within and between texts, as in language."""
    following = np.minimum(rng.zipf(1.3, (vocabulary, successors)) - 1, vocabulary - 1)
    share = 1.0 / np.arange(1, successors + 1)
    share = np.cumsum(share / share.sum())
    texts = np.empty((count, length), dtype=np.int64)
    texts[:, 0] = rng.integers(0, vocabulary, count)
    for place in range(1, length):
        choice = np.searchsorted(share, rng.random(count))
        texts[:, place] = following[texts[:, place - 1], choice]
    return list(texts)


def templated(rng, count, length, vocabulary=3000):
    """One form letter: fixed wording with short slots that differ."""
    form = rng.integers(0, vocabulary, length)
    slots = rng.random(length) < 0.15
    texts = np.tile(form, (count, 1))
    texts[:, slots] = rng.integers(0, vocabulary, (count, int(slots.sum())))
    return list(texts)


def repetitive(rng, count, length, vocabulary=3000):
    """Loops: a phrase that is said again and again, with a word changed now and then."""
    texts = []
    for _ in range(count):
        text = np.resize(rng.integers(0, vocabulary, 12), length)
        changed = rng.random(length) < 0.05
        text[changed] = rng.integers(0, vocabulary, int(changed.sum()))
        texts.append(text)
    return texts


def human(limit):
    """Answers of GSM8K (MIT licence) cut at spaces; None where the file is not here."""
    if not HUMAN.exists():
        return None
    lines = zstandard.ZstdDecompressor().stream_reader(HUMAN.open("rb")).read().decode().splitlines()
    ids: dict[str, int] = {}
    return [
        np.array([ids.setdefault(word, len(ids)) for word in line.split()], dtype=np.int64)
        for line in lines[:limit]
    ]


# Texts with a mark ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entropy:
    """How many equally likely tokens a position offers, with which share of the positions."""

    name: str
    offers: tuple[int, ...]
    shares: tuple[float, ...]

    def evidence(self):
        """Expected score above the null: the harmonic number of the offers, less one."""
        harmonic = [sum(1.0 / i for i in range(1, one + 1)) for one in self.offers]
        return float(np.dot(harmonic, self.shares)) - 1.0


ENTROPIES = (
    Entropy("0.67 (2 or 3 offers)", (2, 3), (0.49, 0.51)),
    Entropy("0.67 (uneven, 1 to 16)", (1, 2, 4, 8, 16), (0.45, 0.2, 0.15, 0.1, 0.1)),
    Entropy("0.50 (2 offers)", (2,), (1.0,)),
    Entropy("0.33 (30 % free)", (1, 4), (0.7, 0.3)),
    Entropy("1.08 (4 offers)", (4,), (1.0,)),
    Entropy("0.43 (mixed)", (1, 2, 8), (0.6, 0.2, 0.2)),
)


def marked(rng, key, count, length, entropy, vocabulary=50_000, width=4):
    """Generate `count` texts under one key by the real rule: the offer with the largest keyed value."""
    scheme = GumbelMax(width)
    texts = np.full((count, width + length), prf.MISSING, dtype=np.int64)
    most = max(entropy.offers)
    for place in range(width, width + length):
        offers = rng.integers(0, vocabulary, (count, most))
        free = rng.choice(entropy.offers, count, p=entropy.shares)
        contexts = np.repeat(texts[:, place - width : place], most, axis=0)
        values = scheme.scores(contexts, offers.ravel(), np.array([key], np.uint64))[0].reshape(count, most)
        values[np.arange(most) >= free[:, None]] = -1.0
        texts[:, place] = offers[np.arange(count), values.argmax(axis=1)]
    return texts[:, width:]


def theory(rng, entropy, length, draws=20_000):
    """Shares found by the total alone and by both statistics, from the law of scores: u = V ** p."""
    p = 1.0 / rng.choice(entropy.offers, (draws, length), p=entropy.shares)
    return found(-np.log1p(-(rng.random((draws, length)) ** p)))


def found(scores):
    """Shares of texts, shape (texts, length), below the level by the total alone and by both statistics."""
    log_level = math.log(FAMILY_LEVEL / ACCOUNTS)
    log_p = log_tail(GumbelMax().null, scores.sum(axis=1), scores.shape[1])
    log_e = np.concatenate([likelihood_log_e(part) for part in np.array_split(scores, 20)])
    both = combined_log_p(log_p, log_e, np.arange(log_p.size))
    return np.array([np.mean(log_p <= log_level), np.mean(both <= log_level)])


def length_for_half(entropy, log_level):
    """Smallest number of tokens whose expected total reaches the level."""
    length = 10
    while log_tail(GumbelMax().null, [length * (1.0 + entropy.evidence())], length)[0] > log_level:
        length += 1
    return length


# Parts ----------------------------------------------------------------------------------------------------


def situations(rng, *, quick):
    """(name, list of evidence sets): every set is scored under its own share of the random keys."""
    size = 40 if quick else 200
    wrong = marked(rng, 4711, 20, 200, ENTROPIES[0])
    found = {
        "single": [[one] for one in prose(rng, 100, 150)],
        "wrong key": [[one] for one in wrong],
        "pooled": [prose(rng, size, 112)],
        "templated": [templated(rng, size, 112)],
        "repetitive": [[one] for one in repetitive(rng, 20, 300)],
        "pooled repetitive": [repetitive(rng, size, 112)],
    }
    if (real := human(size)) is not None:
        found["human (GSM8K)"] = [real]
    return found


def p_values(scheme, sets, rng, tests, rule="pair"):
    """P-values of every evidence set under its own random keys, `tests` in all."""
    each = -(-tests // len(sets))
    result = []
    for documents in sets:
        evidence = collect(documents, scheme, rule=rule)
        keys = rng.integers(0, 2**64, each, dtype=np.uint64)
        scores = totals(scheme, evidence.contexts, evidence.tokens, keys, threads=2)
        result.append(np.exp(log_tail(scheme.null, scores, len(evidence))))
    return np.concatenate(result)


def error_control(*, quick, tests=10_000):
    """Rates of false alarms for each situation and level: the worst scheme must stay within its bound."""
    rng = np.random.default_rng(SEED)
    rows, lowest = [], dict.fromkeys(LEVELS, 1.0)
    for name, sets in situations(rng, quick=quick).items():
        rates: dict[float, list[tuple[float, str]]] = {level: [] for level in LEVELS}
        for label, scheme in SCHEMES.items():
            for rule in ("pair", "context"):
                p = p_values(scheme, sets, rng, tests, rule)
                for level in LEVELS:
                    rate = float(np.mean(p <= level))
                    rates[level].append((rate, f"{label}, {rule}"))
                    if not label.startswith("green"):
                        lowest[level] = min(lowest[level], rate)
        for level in LEVELS:
            worst, which = max(rates[level])
            bound = stats.binom.isf(CELL_ERROR, tests, level) / tests
            note = f"worst of {len(rates[level])}: {which}; {tests:,} tests each"
            rows.append(
                row(f"error/{name}/{level:g}", worst, "rate", f"<= {bound:.5g}", seeds=[SEED], note=note)
            )
    for level in LEVELS:
        bound = stats.binom.ppf(CELL_ERROR, tests, level) / tests
        note = "smallest rate of the continuous scores: exact, not merely valid"
        rows.append(
            row(f"error/lowest/{level:g}", lowest[level], "rate", f">= {bound:.5g}", seeds=[SEED], note=note)
        )
    return rows


def inflation():
    """What happens without de-duplication, on the same texts and 200 random keys."""
    rng, rows = np.random.default_rng(SEED + 1), []
    scheme, keys = GumbelMax(4), decoy_keys(SEED, 200)
    texts = {"templated": templated(rng, 100, 112), "pooled repetitive": repetitive(rng, 100, 112)}
    if (real := human(600)) is not None:
        texts["human (GSM8K)"] = real
    for name, documents in texts.items():
        for rule, bar in (("none", "> 1.5"), ("pair", "<= 1.2"), ("context", "<= 1.2")):
            evidence = collect(documents, scheme, rule=rule)
            scores = totals(scheme, evidence.contexts, evidence.tokens, keys)
            spread = float(z_scores(scheme.null, scores, len(evidence)).std(ddof=1))
            best = float(log_tail(scheme.null, scores, len(evidence)).min()) / math.log(10.0)
            note = f"{len(evidence):,} of {evidence.read:,} tokens; best p of 200 innocent keys 1e{best:.1f}"
            rows.append(row(f"repeats/{name}/{rule}/sd", spread, "sd of z", bar, seeds=[SEED], note=note))
    return rows


def power(*, quick):
    """Share of texts whose account is found, beside theory."""
    rng, rows = np.random.default_rng(SEED + 2), []
    log_level = math.log(FAMILY_LEVEL / ACCOUNTS)
    accounts = rng.integers(0, 2**64, ACCOUNTS, dtype=np.uint64)
    cases = 400 if quick else 2000
    for entropy in ENTROPIES:
        asked = entropy.name.startswith("0.67")
        length = 120 if asked else length_for_half(entropy, log_level)
        expected = theory(rng, entropy, length)
        seen = found(
            np.concatenate([_scores(rng, key, cases // 20, length, entropy) for key in accounts[:20]])
        )
        for i, label in enumerate(("total alone", "as named")):
            note = f"{cases} texts of {length} tokens; theory {expected[i]:.3f}"
            bar = ">= 0.5" if asked and label == "as named" else None
            rows.append(row(f"power/{entropy.name}/{label}", seen[i], "share", bar, seeds=[SEED], note=note))
        gap = 100.0 * float(np.abs(seen - expected).max())
        rows.append(row(f"power/{entropy.name}/gap", gap, "points", "<= 5", seeds=[SEED], note="from theory"))
    return [*rows, *named_whole(rng, accounts, 60 if quick else 200)]


def _scores(rng, key, count, length, entropy):
    """Scores of `count` marked texts under their own key, cut and de-duplicated as detection does it."""
    texts = marked(rng, key, count, length, entropy)
    parts = [collect([text], GumbelMax()) for text in texts]
    keys = np.array([key], np.uint64)
    return np.stack([GumbelMax().scores(one.contexts, one.tokens, keys)[0] for one in parts])


def named_whole(rng, accounts, cases):
    """The whole command: all 24,000 keys, Holm, decoys; who is named, and is it ever somebody else?"""
    names = tuple(f"account {i}" for i in range(ACCOUNTS))
    table = KeyTable(names, ("account",) * ACCOUNTS, names, ("",) * ACCOUNTS, accounts)
    right = wrong = 0
    for case in range(cases):
        guilty = int(rng.integers(ACCOUNTS))
        text = marked(rng, accounts[guilty], 1, 120, ENTROPIES[0])[0]
        settings = Settings(level=FAMILY_LEVEL, seed=case)
        named = {one.name for one in detect([text], GumbelMax(), table, settings, threads=2).named}
        right += names[guilty] in named
        wrong += bool(named - {names[guilty]})
    note = f"{cases} texts, all keys scanned for each"
    return [
        row("power/whole command/right", right / cases, "share", ">= 0.5", seeds=[SEED], note=note),
        row("power/whole command/wrong", wrong, "texts", "<= 0", seeds=[SEED], note="somebody else named"),
    ]


@njit(nogil=True)
def plain_loop(contexts, tokens, keys, out):
    """What one would write first: key by key, pair by pair, one logarithm each."""
    for k in range(keys.shape[0]):
        low, high = keys[k] & prf.MASK, keys[k] >> np.uint64(32)
        total = 0.0
        for i in range(tokens.shape[0]):
            state = prf.context_state(contexts[i], low, high)
            total -= math.log1p(-prf.unit(prf.token_word(state, np.uint64(tokens[i]), low, high)))
        out[k] = total


def speed(*, quick):
    """Scanning 24,000 keys over 100,000 pairs, and reading text under one key."""
    rng = np.random.default_rng(SEED + 3)
    contexts, tokens = rng.integers(0, 50_000, (100_000, 4)), rng.integers(0, 50_000, 100_000)
    keys = rng.integers(0, 2**64, ACCOUNTS, dtype=np.uint64)
    ratio, plain = _ratio(contexts, tokens, keys, rounds=3 if quick else 9)
    note = "two threads against one, in turns; the plain loop does "
    rows = [
        row("speed/scan ratio", ratio, "times", ">= 8", seeds=[SEED], note=f"{note}{plain:.1f} ns a score")
    ]
    if not quick:
        began, used = time.perf_counter(), time.process_time()
        totals(GumbelMax(), contexts, tokens, keys, threads=2)
        wall, used = time.perf_counter() - began, time.process_time() - used
        note = f"processor seconds of both threads over two; by the clock {wall:.1f} s, others' load included"
        rows.append(row("speed/scan 24,000 x 100,000", used / 2.0, "s", "<= 15", seeds=[SEED], note=note))
    return [*rows, _reading(rng)]


def _ratio(contexts, tokens, keys, rounds):
    """Median over rounds of plain time over fast time for one score, each round measuring both."""
    few, some, out = slice(0, 2000), slice(0, 100), np.zeros(100)
    plain_loop(contexts[:2], tokens[:2], keys[:2], out)
    totals(GumbelMax(), contexts[:2], tokens[:2], keys, threads=2)
    ratios, plain = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        plain_loop(contexts[few], tokens[few], keys[some], out)
        middle = time.perf_counter()
        totals(GumbelMax(), contexts[few], tokens[few], keys, threads=2)
        slow, fast = (middle - began) / (2000 * 100), (time.perf_counter() - middle) / (2000 * keys.size)
        ratios.append(slow / fast)
        plain.append(slow * 1e9)
    return statistics.median(ratios), statistics.median(plain)


def _reading(rng):
    """Everything behind tokenising for one key with 100 decoys; processor time of one thread."""
    documents = [np.minimum(rng.zipf(1.2, 500), 30_000) for _ in range(2500)]  # repeats little: the hard case
    table = KeyTable(("k",), ("global",), ("",), ("",), np.array([1], np.uint64))
    detect(documents[:2], GumbelMax(), table, Settings())
    times = []
    for _ in range(3):
        began = time.process_time()
        detect(documents, GumbelMax(), table, Settings(), threads=1)
        times.append(time.process_time() - began)
    megabytes = sum(one.size for one in documents) * 4 / 1e6
    note = "de-duplication, one key, 100 decoys; 4 bytes a token, processor seconds of one thread"
    return row("speed/reading", megabytes / min(times), "MB/s a core", ">= 5", seeds=[SEED], note=note)


def golden():
    """vLLM's dual-key golden row (Apache-2.0): the exact tail beside the one that is reported there."""
    score, count, null = 241.81126265648692, 64, DualKeyGumbel(4, 0.1).null
    exact = math.exp(log_tail(null, [score], count)[0])
    reported = math.exp(matched_moments_log_tail(null, [score], count)[0])
    off = abs(exact / 4.33e-49 - 1.0)
    note = f"exact {exact:.4g}, moment-matched {reported:.4g}: {exact / reported:.0f} times too small"
    return [row("golden/dual-key row", off, "off from 4.33e-49", "<= 0.002", note=note)]


def main():
    made = parser(__doc__)
    made.add_argument("--part", choices=("error", "power", "speed", "golden"), help="only this part")
    made.add_argument("--quick", action="store_true", help="fewer texts; for trying the benchmark itself")
    options = made.parse_args()
    parts = {
        "golden": golden,
        "error": lambda: [*error_control(quick=options.quick), *inflation()],
        "power": lambda: power(quick=options.quick),
        "speed": lambda: speed(quick=options.quick),
    }
    chosen = [options.part] if options.part else list(parts)
    rows = [one for part in chosen for one in parts[part]()]
    return finish("evidence_detection", rows, strict=options.strict)


if __name__ == "__main__":
    sys.exit(main())
