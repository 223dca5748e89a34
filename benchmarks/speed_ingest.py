"""How fast LiteLLM lines become stored exchanges, against msgspec alone decoding the same lines.

    python benchmarks/speed_ingest.py [--lines 40000] [--turns 5]

* `ingest/litellm/ratio`: seconds in which msgspec alone reads the file line by line and decodes each line into
  the same typed structs, divided by the seconds of the whole ingest: digest, reading, decoding, checks,
  fingerprints, Parquet, search for duplicates, commit. The bar is 0.5. Both read the same file from the page
  cache; they take turns, and the ratio is the median over turns.
* `ratio-memory` is the same against decoding lines that are in memory already: the harsher reading of the bar.
* `ratio-cpu` is in CPU time of all threads (not wall time), which is what is left on a machine that is shared:
  the work of ingest against the work of decoding, whatever runs beside them.
* Lines have the fields, and about the length (14 kB), of those that LiteLLM 1.106 wrote in
  `tests/stories/test_litellm_proxy.py`; prompts are real ones where the shared data are at hand.
"""

# ruff: noqa: E501, SIM905 - a log line and its field names are easier to compare with the original when dense

from __future__ import annotations

import json
import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import zstandard

import harness
from stillwatch.ingest import IngestOptions, ingest_files
from stillwatch.ingest.fingerprint import FingerprintKey
from stillwatch.ingest.formats import line_format
from stillwatch.model.progress import Silent
from stillwatch.store import StoreWriter

SEED = 1
PROMPTS = harness.ROOT.parent / "shared" / "data" / "prompts" / "sharegpt_v3_human_turns.jsonl.zst"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = "river lake claim proof table model cost first second reason explain write list compare city".split()
HEADERS = {
    "host": "127.0.0.1:4000", "accept-encoding": "gzip, deflate, zstd", "connection": "keep-alive",
    "accept": "application/json", "content-type": "application/json", "user-agent": "OpenAI/Python 2.54.0",
    "x-stainless-lang": "python", "x-stainless-package-version": "2.54.0", "x-stainless-os": "Linux",
    "x-stainless-arch": "x64", "x-stainless-runtime": "CPython", "x-stainless-runtime-version": "3.11.7",
    "x-stainless-async": "false", "x-stainless-retry-count": "0", "x-stainless-read-timeout": "600",
}  # fmt: skip
KEY_FIELDS = (
    "alias spend max_budget budget_reset_at user_spend user_max_budget team_spend team_max_budget team_id org_alias "
    "project_id project_alias team_alias user_email"
).split()


def prompts(count: int) -> list[str]:
    """Real human turns where the shared data are at hand, else words."""
    draw = random.Random(SEED)
    if not PROMPTS.exists():
        return [" ".join(draw.choices(WORDS, k=draw.randint(5, 300))) for _ in range(count)]
    found: list[str] = []
    with zstandard.open(PROMPTS, "rt", encoding="utf-8") as file:
        for line in file:
            found += json.loads(line)["h"]
            if len(found) >= count:
                break
    return found[:count]


def payload(draw: random.Random, number: int, prompt: str, answer: str) -> dict[str, Any]:
    """One StandardLoggingPayload with the fields of LiteLLM 1.106."""
    user, call = draw.randrange(2000), f"{draw.getrandbits(128):032x}"
    start = 1767225600 + number * 0.5
    usage = {
        "completion_tokens": len(answer) // 4, "prompt_tokens": len(prompt) // 4,
        "total_tokens": (len(answer) + len(prompt)) // 4,
        "completion_tokens_details": {"accepted_prediction_tokens": None, "audio_tokens": None, "reasoning_tokens": 3},
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": 4},
    }  # fmt: skip
    custom = {name: value for name, value in HEADERS.items() if name.startswith("x-")}
    metadata = {f"user_api_key_{name}": None for name in KEY_FIELDS} | {
        "user_api_key_hash": f"{user:064x}", "user_api_key_user_id": f"user-{user}", "user_api_key_org_id": f"org-{user % 300}",
        "user_api_key_end_user_id": None, "user_api_key_request_route": "/v1/chat/completions",
        "requester_ip_address": f"198.51.{user % 250}.{number % 250}", "user_agent": HEADERS["user-agent"],
        "requester_metadata": {"headers": HEADERS}, "requester_custom_headers": custom, "usage_object": usage,
    }  # fmt: skip
    choice = {
        "finish_reason": "stop",
        "index": 0,
        "message": {"content": answer, "role": "assistant", "tool_calls": None},
    }
    prices = {f"{side}_cost_per_{unit}_above_{size}k_tokens_{tier}": None for side in ("input", "output", "cache_creation_input", "cache_read_input") for unit in ("token", "second", "character", "image") for size in (128, 200, 272) for tier in ("batches", "flex", "priority")}  # fmt: skip
    return {
        "id": f"chatcmpl-{call}", "litellm_call_id": call, "trace_id": call[::-1], "session_id": "", "call_type": "acompletion",
        "cache_hit": None, "stream": None, "status": "success", "custom_llm_provider": "openai", "saved_cache_cost": 0.0,
        "startTime": start, "endTime": start + 1, "completionStartTime": start + 0.3, "response_time": 1.0, "model": "openai/gpt-x",
        "metadata": metadata, "response_cost": 0.0021, "total_tokens": usage["total_tokens"],
        "prompt_tokens": usage["prompt_tokens"], "completion_tokens": usage["completion_tokens"],
        "request_tags": ["User-Agent: OpenAI", "User-Agent: OpenAI/Python 2.54.0"], "end_user": "", "api_base": "https://models.example/v1",
        "model_group": "gpt-x", "model_id": "5" * 64, "requester_ip_address": metadata["requester_ip_address"],
        "user_agent": HEADERS["user-agent"],
        "messages": [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": prompt}],
        "response": {"id": f"chatcmpl-{call}", "created": int(start), "model": "gpt-x", "object": "chat.completion", "choices": [choice], "usage": usage},
        "model_parameters": {"temperature": 0.3, "n": 1, "stream": False, "max_tokens": 512},
        "model_map_information": {"model_map_key": "gpt-x", "model_map_value": {"key": "gpt-x"} | prices},
    }  # fmt: skip


def write_lines(path: Path, count: int) -> int:
    """Write the log and return the bytes of its prompts."""
    draw, texts = random.Random(SEED), prompts(5000)
    told = 0
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            prompt = draw.choice(texts)
            told += len(prompt.encode())
            file.write(json.dumps(payload(draw, number, prompt, draw.choice(texts))) + "\n")
    return told


def from_file(path: Path) -> None:
    """What msgspec alone does: read the file by lines, and decode each."""
    decode = line_format("litellm").decoder.decode
    with path.open("rb") as file:
        for line in file:
            decode(line)


def from_memory(lines: list[bytes]) -> None:
    """Decode lines that are in memory already."""
    decode = line_format("litellm").decoder.decode
    for line in lines:
        decode(line)


def whole(path: Path, threads: int) -> int:
    """The whole ingest into a new store."""
    key = FingerprintKey.from_bytes(bytes(range(32)))
    with tempfile.TemporaryDirectory() as place, StoreWriter(place) as writer:
        return ingest_files([path], writer, key, IngestOptions(now=NOW, threads=threads), Silent()).exchanges


def timed(work: Any, *arguments: Any) -> tuple[float, float]:
    """Return wall and CPU seconds of `work`."""
    wall, cpu = perf_counter(), process_time()
    work(*arguments)
    return perf_counter() - wall, process_time() - cpu


def measure(path: Path, count: int, turns: int, threads: int) -> list[harness.Row]:
    """Take turns and compare."""
    told = write_lines(path, count)
    size = path.stat().st_size
    lines = path.read_bytes().splitlines()
    whole(path, threads)
    ratios: dict[str, list[float]] = {"ratio": [], "ratio-memory": [], "ratio-cpu": []}
    seconds: list[float] = []
    for _ in range(turns):
        file, memory, ingest = timed(from_file, path), timed(from_memory, lines), timed(whole, path, threads)
        ratios["ratio"].append(file[0] / ingest[0])
        ratios["ratio-memory"].append(memory[0] / ingest[0])
        ratios["ratio-cpu"].append(file[1] / ingest[1])
        seconds.append(ingest[0])
    notes = {
        "ratio": f"best turn {max(ratios['ratio']):.2f}, worst {min(ratios['ratio']):.2f}",
        "ratio-memory": "msgspec does not read the file",
        "ratio-cpu": "all threads; holds on a machine that is shared",
    }
    bars = {"ratio": ">= 0.5"}
    rows = [
        harness.row(
            f"ingest/litellm/{name}",
            median(values),
            "times msgspec",
            bars.get(name),
            seeds=[SEED],
            note=notes[name],
        )
        for name, values in ratios.items()
    ]
    speed = median(seconds)
    return [
        *rows,
        harness.row(
            "ingest/litellm/lines",
            count / speed,
            "lines/s",
            seeds=[SEED],
            note=f"{size / count:,.0f} bytes a line",
        ),
        harness.row(
            "ingest/litellm/bytes",
            size / speed / 1e6,
            "MB/s",
            seeds=[SEED],
            note=f"{told / size:.0%} of them prompts",
        ),
    ]


def main() -> int:
    """Run from the command line."""
    options = harness.parser(__doc__)
    options.add_argument("--lines", type=int, default=40_000)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        rows = measure(Path(place) / "log.ndjson", given.lines, given.turns, given.threads)
    return harness.finish("speed_ingest", rows, strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
