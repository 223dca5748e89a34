"""Speed and recall of the fingerprint kernel beside rensa and datasketch.

Run `python benchmarks/speed_fingerprint.py`. Everything runs on one core (but for the two-thread row), on
real prompts when `../shared/data/prompts` is there, else on generated ones. From raw text to keys on our
side; from raw text through Python tokenising into four-word shingles to sketches of 128 permutations on
theirs: rensa's R-MinHash matrix, its faster rho sketch, datasketch's bulk call, and datasketch as its
documentation shows it, one `update` a shingle. Times are CPU seconds of this process; each ratio is taken
within one run, and the median over interleaved runs is reported, so that other load on the machine cancels
out as far as it can.

Recall is over pairs of prompts of one template (T0's labels). Ours: the pair shares at least one text key.
Theirs: the pair collides in at least one band of the LSH index for the stated threshold, bands as datasketch
lays them out. The rate of false links is the share of pairs of different templates that are linked; some of
these do share text, since several templates of T0 ask about the same passages. The best that their sketches
can do at our rate of false links is told too: every pair compared without an index, the threshold chosen
after the fact.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash
from datasketch import MinHash, MinHashLSH
from rensa import RMinHash

from harness import finish, parser, row
from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.model.columns import TEXT_SCHEMA

PROMPTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "prompts"
KEY = FingerprintKey.from_bytes(bytes(range(32)))
RUNS = 7
THREAD_RUNS = 25
SEED = 7
PERMUTATIONS = 128
THRESHOLD = 0.5
WORD = re.compile(r"[^\W\d_]+|\d+")


def stored(name):
    """Lines of a data file, or nothing where it is absent."""
    path = PROMPTS / name
    if not path.exists():
        return []
    text = subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def generated(count):
    """Templated prompts of made-up words: label and text."""
    chosen = random.Random(SEED)
    words = ["".join(chosen.choices("abcdefghijklmnopqrst", k=chosen.randint(2, 10))) for _ in range(5000)]

    def some(low, high):
        return " ".join(chosen.choices(words, k=chosen.randint(low, high)))

    templates = [(some(8, 20), some(4, 12)) for _ in range(count // 25)]
    return [(i % len(templates), f"{t[0]} {some(5, 60)} {t[1]}") for i, t in enumerate(templates * 25)]


def corpus():
    """Labelled templated prompts and plain prompts."""
    labelled = [(r["template"], r["prompt"]) for r in stored("t0_templated_bulk_25_per_template.jsonl.zst")]
    plain = [turn for r in stored("sharegpt_v3_human_turns.jsonl.zst") for turn in r["h"]]
    if labelled and plain:
        return labelled, plain, "T0 and ShareGPT"
    labelled = generated(3000)
    return labelled, [text for _, text in generated(6000)], "generated"


def batch_of(prompts):
    nothing = pa.nulls(len(prompts), pa.string())
    return pa.RecordBatch.from_arrays([nothing, nothing, pa.array(prompts), nothing], schema=TEXT_SCHEMA)


def shingles(text):
    """What the kernel hashes, in Python: four-word shingles of folded words with numbers as `#`."""
    words = ["#" if word.isdecimal() else word for word in WORD.findall(text.lower())]
    return [" ".join(words[i : i + 4]) for i in range(max(len(words) - 3, 1))]


def with_rensa(prompts):
    return RMinHash.digest_matrix_from_token_sets(
        list(map(shingles, prompts)), num_perm=PERMUTATIONS, seed=SEED
    )


def with_rensa_rho(prompts):
    return RMinHash.digest_matrix_from_token_sets_rho(
        list(map(shingles, prompts)), num_perm=PERMUTATIONS, seed=SEED
    )


def with_datasketch_bulk(prompts):
    tokens = [[shingle.encode() for shingle in shingles(prompt)] for prompt in prompts]
    return MinHash.bulk(tokens, num_perm=PERMUTATIONS, seed=SEED)


def with_datasketch(prompts):
    sketches = [MinHash(num_perm=PERMUTATIONS, seed=SEED) for _ in prompts]
    for sketch, prompt in zip(sketches, prompts, strict=True):
        for shingle in shingles(prompt):
            sketch.update(shingle.encode())
    return sketches


def with_kernel(prompts):
    return fingerprint(batch_of(prompts), KEY)


def per_prompt(work, prompts, clock=time.process_time):
    start = clock()
    work(prompts)
    return (clock() - start) / len(prompts)


def speed(prompts):
    """Times per prompt of each side in each run; small slices for the slow ones."""
    sides = {
        "kernel": (with_kernel, prompts * max(1, 20_000 // len(prompts))),
        "rensa": (with_rensa, prompts[:2000]),
        "rensa_rho": (with_rensa_rho, prompts[:2000]),
        "datasketch_bulk": (with_datasketch_bulk, prompts[:300]),
        "datasketch": (with_datasketch, prompts[:60]),
    }
    with_kernel(prompts)
    times = {name: [] for name in sides}
    for _ in range(RUNS):
        for name, (work, own) in sides.items():
            times[name].append(per_prompt(work, own))
    return times


def ratio(times, name):
    return statistics.median(theirs / ours for theirs, ours in zip(times[name], times["kernel"], strict=True))


def against_one_hash(prompts):
    """CPU time of the kernel over that of one xxh3 pass over the same bytes."""
    batch = batch_of(prompts * max(1, 20_000 // len(prompts)))
    data = "".join(batch.column(2).to_pylist()).encode()
    found = []
    for _ in range(RUNS):
        start = time.process_time()
        fingerprint(batch, KEY)
        middle = time.process_time()
        for _ in range(20):
            xxhash.xxh3_64_intdigest(data)
        found.append((middle - start) / ((time.process_time() - middle) / 20))
    return statistics.median(found)


def two_threads(prompts):
    """Wall-clock speed-up of two threads over one: median over turns, that of the fastest calls, cores free.

    Calls take turns, so that each ratio is of neighbours in time; the fastest calls are those that were
    disturbed least where others ask for the cores too.
    """
    batch = batch_of(prompts * max(1, 200_000 // len(prompts)))
    single, double, free = [], [], []
    for _ in range(THREAD_RUNS):
        start = time.perf_counter()
        fingerprint(batch, KEY, threads=1)
        middle, used = time.perf_counter(), time.process_time()
        fingerprint(batch, KEY, threads=2)
        end = time.perf_counter()
        single.append(middle - start)
        double.append(end - middle)
        free.append((time.process_time() - used) / (end - middle))
    typical = statistics.median(one / two for one, two in zip(single, double, strict=True))
    return typical, min(single) / min(double), statistics.median(free)


def linked(groups, size):
    matrix = np.zeros((size, size), bool)
    for members in groups:
        if len(members) > 1:
            matrix[np.ix_(members, members)] = True
    return matrix


def by_value(rows):
    found = {}
    for place, values in enumerate(rows):
        for value in values:
            found.setdefault(value, []).append(place)
    return found.values()


def banded(signatures):
    """Groups of rows that collide in a band, bands as datasketch lays them out for the threshold."""
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    rows = []
    for signature in signatures:
        cut = [tuple(signature[b * index.r : (b + 1) * index.r]) for b in range(index.b)]
        rows.append(list(enumerate(cut)))
    return by_value(rows)


def best_at(signatures, same, other, rate):
    """Recall when all pairs are compared, at the lowest threshold with at most `rate` false links."""
    agree = sum((signatures[:, [p]] == signatures[:, p]).astype(np.uint8) for p in range(PERMUTATIONS))
    for least in range(1, PERMUTATIONS + 1):
        if (agree[other] >= least).mean() <= rate:
            return float((agree[same] >= least).mean())
    return 0.0


def recall(labelled):
    """Recall and false links of each side, and the best of the sketches at our rate of false links."""
    labels = np.unique([label for label, _ in labelled], return_inverse=True)[1]
    prompts = [text for _, text in labelled]
    size = len(prompts)
    upper = np.triu(np.ones((size, size), bool), 1)
    alike = labels[:, None] == labels[None]
    same, other = alike & upper, ~alike & upper
    sketches = {
        "rensa": np.array(with_rensa(prompts).to_rows(), np.uint32),
        "datasketch": np.array([m.digest() for m in with_datasketch_bulk(prompts)]),
    }
    keys = with_kernel(prompts)["keys"].to_pylist()
    links = {"kernel": linked(by_value(keys), size)}
    links |= {name: linked(banded(values.tolist()), size) for name, values in sketches.items()}
    found = {
        name: (float(matrix[same].mean()), float(matrix[other].mean())) for name, matrix in links.items()
    }
    best = {name: best_at(values, same, other, found["kernel"][1]) for name, values in sketches.items()}
    return found, best


def speed_rows(prompts, size, name):
    times = speed(prompts)
    rows = [
        row(
            f"fingerprint/{name}/prompts",
            1e-6 / statistics.median(times["kernel"]),
            "million prompts / CPU s",
            note=f"{size:.0f} bytes a prompt",
        ),
        row(f"fingerprint/{name}/bytes", 1e-6 * size / statistics.median(times["kernel"]), "MB / CPU s"),
    ]
    for side, bar in (
        ("rensa", ">= 10"),
        ("rensa_rho", ">= 10"),
        ("datasketch", ">= 100"),
        ("datasketch_bulk", None),
    ):
        rows.append(row(f"fingerprint/{name}/over_{side}", ratio(times, side), "times as fast", bar))
    return rows


def recall_rows(labelled):
    found, best = recall(labelled)
    ours, false = found["kernel"]
    rows = [
        row(
            "fingerprint/recall/kernel", ours, "share of same-template pairs", note=f"false links {false:.5f}"
        ),
    ]
    for side in ("rensa", "datasketch"):
        value, wrong = found[side]
        note = f"LSH at {THRESHOLD}; false links {wrong:.5f}"
        rows.append(row(f"fingerprint/recall/{side}", value, "share of same-template pairs", note=note))
        rows.append(row(f"fingerprint/recall/over_{side}", ours - value, "difference", ">= 0"))
        rows.append(
            row(
                f"fingerprint/recall/over_{side}_same_rate",
                ours - best[side],
                "difference",
                ">= 0",
                note=f"all pairs compared: {best[side]:.4f} at our rate of false links",
            )
        )
    return rows


def main():
    arguments = parser(__doc__).parse_args()
    labelled, plain, source = corpus()
    short = [text[:310] for text in plain if len(text) >= 310][:10_000] or plain
    lengths = [len(text.encode()) for text in short]
    everything = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(everything)})
    rows = speed_rows(short, statistics.mean(lengths), "short")
    templated = [text for _, text in labelled]
    rows += speed_rows(templated, statistics.mean(len(text.encode()) for text in templated), "templated")
    long = [" ".join(templated)]
    spent = statistics.median(per_prompt(with_kernel, long) for _ in range(RUNS))
    rows.append(row("fingerprint/long/bytes", 1e-6 * len(long[0].encode()) / spent, "MB / CPU s", ">= 200",
                    note=f"one prompt of {len(long[0]) / 1e6:.1f} million characters"))  # fmt: skip
    rows.append(row("fingerprint/short/over_xxh3", against_one_hash(short), "times one xxh3 pass"))
    os.sched_setaffinity(0, everything)
    if len(everything) > 1:
        gain, fastest, free = two_threads(short)
        note = (
            f"{THREAD_RUNS} turns, fastest calls {fastest:.2f}; {free:.2f} cores were to be had, "
            "without which it means little"
        )
        rows.append(row("fingerprint/short/two_threads", gain, "times as fast", ">= 1.7", note=note))
    keys = with_kernel(short)["keys"]
    rows.append(
        row("fingerprint/short/keys", len(keys.flatten()) / len(short), "text keys a prompt", "<= 6.5")
    )
    rows += recall_rows(labelled)
    print(f"prompts: {source}; {RUNS} interleaved runs")
    return finish("speed_fingerprint", rows, strict=arguments.strict)


if __name__ == "__main__":
    sys.exit(main())
