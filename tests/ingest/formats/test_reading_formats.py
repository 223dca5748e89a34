"""What each format reads, where the contract suite cannot know it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.formats.client import address, client_fingerprint, credential, lower_headers

LITELLM = {"id": "i", "call_type": "acompletion", "startTime": 1767225600.0, "endTime": 1.0, "status": "success", "model_parameters": {}, "response_cost": 0, "custom_llm_provider": "x", "hidden_params": {}}  # fmt: skip


def one(ingest, record, **options):
    (row,) = ingest(json.dumps(record).encode(), **options).rows()
    return row


@pytest.mark.parametrize(
    ("metadata", "account", "org"),
    [
        ({"user_api_key_user_id": "u", "user_api_key_team_id": "t", "user_api_key_hash": "h"}, "u", "t"),
        ({"user_api_key_user_id": "", "user_api_key_team_id": "t", "user_api_key_org_id": "o"}, "t", "o"),
        ({"user_api_key_user_id": None, "user_api_key_hash": "h"}, "h", None),
    ],
    ids=["user", "team", "key"],
)
def test_litellm_accounts(ingest, metadata, account, org):
    row = one(ingest, LITELLM | {"metadata": metadata})
    assert (row["account_id"], row["org_id"]) == (account, org)


def test_litellm_refusals_and_reasoning(ingest):
    user = {"metadata": {"user_api_key_user_id": "u"}}
    message = {"thinking_blocks": [{"type": "thinking", "signature": "s1"}], "refusal": "No."}
    sent = [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A", "thinking_blocks": [{"signature": "s0"}]},
        {"role": "user", "content": "R"},
    ]
    response = {"choices": [{"finish_reason": "stop", "message": message}]}
    row = one(ingest, LITELLM | user | {"messages": sent, "response": response})
    assert row["refusal_category"] == "unspecified"
    assert len(set(row["reasoning_block_ids"])) == 2
    filtered = {"choices": [{"finish_reason": "content_filter", "message": {}}]}
    second = ingest(json.dumps(LITELLM | user | {"id": "j", "response": filtered}).encode(), "second").rows()
    assert {row["refusal_category"] for row in second} == {"unspecified", "content_filter"}


@pytest.mark.parametrize(
    ("tags", "channel"),
    [
        (["User-Agent: x", "channel:reseller", "channel:own"], "reseller"),
        (["channel:two words", "channel:", 7, None, "channel:cloud"], "cloud"),
        (["my channel:reseller"], None),
        ([], None),
        (None, None),
        ("channel:own", None),
        ({"channel:": 1}, None),
        (["channel:" + "x" * 65], None),
    ],
)
def test_litellm_channel_is_a_tag(ingest, tags, channel):
    row = one(ingest, LITELLM | {"metadata": {"user_api_key_user_id": "u"}, "request_tags": tags})
    assert row["channel"] == channel


def test_litellm_attempts_of_one_call_are_different_exchanges(ingest):
    user = {"metadata": {"user_api_key_user_id": "u"}, "litellm_call_id": "c"}
    failed = LITELLM | user | {"status": "failure", "error_information": {"error_code": "429"}}
    rows = ingest(
        b"\n".join(
            json.dumps(each).encode() for each in (failed, LITELLM | user | {"startTime": 1767225601.0})
        )
    ).rows()
    assert [row["status"] for row in rows] == [429, 200]
    assert len({row["exchange_id"] for row in rows}) == 2


def test_litellm_responses_instructions_are_the_system_prompt(ingest, texts):
    one(
        ingest,
        LITELLM
        | {
            "metadata": {"user_api_key_user_id": "u"},
            "messages": "Q",
            "model_parameters": {"instructions": "S"},
        },
    )
    assert texts[0].to_pylist() == [{"system": "S", "history": None, "prompt": "Q", "tools": None}]


def span(**told):
    listed = [
        {"key": name, "value": value if isinstance(value, dict) else {"stringValue": value}}
        for name, value in told.items()
    ]
    return {"traceId": "t", "spanId": "s", "startTimeUnixNano": "1767225600000000000", "attributes": listed}


def traces(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def test_otlp_other_spans_are_passed_over(ingest):
    chat = span(**{"gen_ai.operation.name": "chat", "user.id": "u"})
    tool = span(**{"gen_ai.operation.name": "execute_tool"}) | {"spanId": "x"}
    ingested = ingest(json.dumps(traces(tool, chat, span(**{"db.system": "pg"}) | {"spanId": "y"})).encode())
    assert (ingested.report.exchanges, ingested.report.skipped, ingested.report.rejected) == (1, 2, 0)
    assert ingested.rows()[0]["source_ref"].endswith("#2:1")


OLD = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "m",
    "user.id": "u",
    "gen_ai.usage.prompt_tokens": {"intValue": "7"},
}
VOCABULARIES = {
    "present": OLD | {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Q"}]}]), "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "S"}])},
    "old": OLD | {"gen_ai.prompt": json.dumps([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}])},
    "OpenLLMetry": OLD | {"gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "S", "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Q"},
    "OpenInference": {
        "openinference.span.kind": "LLM", "user.id": "u", "llm.model_name": "m", "llm.token_count.prompt": {"intValue": 7},
        "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "S", "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text", "llm.input_messages.1.message.contents.0.message_content.text": "Q",
    },
    "Langfuse": {
        "langfuse.observation.type": "generation", "langfuse.user.id": "u", "langfuse.observation.model.name": "m", "langfuse.observation.usage_details": '{"input": 7}',
        "langfuse.observation.input": json.dumps({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]}),
    },
}  # fmt: skip


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_otlp_vocabularies(ingest, texts, vocabulary):
    row = one(ingest, traces(span(**VOCABULARIES[vocabulary])))
    assert (row["account_id"], row["model"], row["input_tokens"], row["exchange_id"]) == ("u", "m", 7, "t:s")
    assert texts[0].to_pylist() == [{"system": "S", "history": None, "prompt": "Q", "tools": None}]


def test_otlp_old_events(ingest, texts):
    event = {"name": "gen_ai.user.message", "attributes": [{"key": "content", "value": {"stringValue": "Q"}}]}
    one(ingest, traces(span(**OLD) | {"events": [event]}))
    assert texts[0]["prompt"].to_pylist() == ["Q"]


def test_account_fields_come_first(ingest):
    told = span(**OLD | {"tenant.user": "special"})
    assert one(ingest, traces(told), account_fields=("tenant.user",))["account_id"] == "special"


PAIR = {
    "ts": 1767225600,
    "account_id": "a",
    "request": {"model": "m", "messages": [{"role": "user", "content": "Q"}]},
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "choices": [{"delta": {"content": "x"}, "finish_reason": None}],
}
LAST = CHUNK | {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE}
WHOLE = {
    "id": "c",
    "object": "chat.completion",
    "choices": [{"message": {}, "finish_reason": "stop"}],
    "usage": USAGE,
}
EVENTS = f"data: {json.dumps(CHUNK)}\n\ndata: {json.dumps(LAST)}\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize(
    "response",
    [
        WHOLE,
        json.dumps(WHOLE),
        EVENTS,
        [CHUNK, LAST],
        {"status": 200, "body": WHOLE},
        {"status": 200, "body": EVENTS},
    ],
    ids=["object", "string", "events", "chunks", "wrapped", "wrapped events"],
)
def test_openai_answers_in_every_wrapping(ingest, response):
    row = one(ingest, PAIR | {"response": response}, format="openai")
    assert (row["exchange_id"], row["finish_reason"], row["input_tokens"], row["output_tokens"]) == (
        "c",
        "stop",
        3,
        2,
    )


def test_pairs_without_an_account_take_a_hash_of_the_key(ingest, tmp_path):
    pair = {name: value for name, value in PAIR.items() if name != "account_id"}
    headers = {
        "Authorization": "Bearer sk-very-secret",
        "User-Agent": "u",
        "X-Forwarded-For": "192.0.2.1, 10.0.0.1",
    }
    row = one(ingest, pair | {"headers": headers, "response": WHOLE})
    assert row["account_id"] == row["key_id"]
    assert row["account_id"].startswith("key:")
    assert (row["ip"], row["user_agent"]) == ("192.0.2.1", "u")
    written = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"very-secret" not in written


def test_anthropic_counts_what_was_cached(ingest):
    usage = {
        "input_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 4,
        "output_tokens": 8,
    }
    row = one(
        ingest,
        PAIR
        | {
            "response": {
                "id": "m",
                "type": "message",
                "content": [],
                "stop_reason": "end_turn",
                "usage": usage,
            }
        },
    )
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (7, 2, 8)


def test_canonical_keeps_what_is_no_prose(ingest):
    row = one(
        ingest,
        {
            "exchange_id": "e",
            "ts": 1767225600,
            "account_id": "a",
            "region": "eu",
            "score": 1.5,
            "note": "two words",
            "long": "x" * 65,
            "deep": {"a": 1},
        },
    )
    assert json.loads(row["extra"]) == {"region": "eu", "score": 1.5}


def test_parquet_and_ndjson_give_the_same(ingest, tmp_path, texts):
    rows = [
        {
            "exchange_id": f"e{n}",
            "ts": 1767225600 + n,
            "account_id": "a",
            "prompt": f"Q{n}",
            "input_tokens": n,
            "shelf": n,
        }
        for n in range(5)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    from_table = ingest([tmp_path / "t.parquet"], block_rows=2).rows()
    lines = [json.dumps(row | {"exchange_id": "n" + row["exchange_id"]}).encode() for row in rows]
    from_lines = [row for row in ingest(b"\n".join(lines)).rows() if row["exchange_id"].startswith("n")]
    apart = {"exchange_id", "source", "source_ref"}
    assert [{k: v for k, v in row.items() if k not in apart} for row in from_table] == [
        {k: v for k, v in row.items() if k not in apart} for row in from_lines
    ]
    prompts = [prompt for batch in texts for prompt in batch["prompt"].to_pylist()]
    assert prompts == [f"Q{n}" for n in range(5)] * 2
    assert [row["source_ref"].rpartition(":")[2] for row in from_table] == ["1", "2", "3", "4", "5"]


def test_sampling_and_client_fingerprints_are_of_the_settings(ingest):
    base = {"ts": 1767225600, "account_id": "a", "model": "m"}
    records = [
        base | {"exchange_id": "1", "temperature": 0.5, "user_agent": "u"},
        base | {"exchange_id": "2", "temperature": 0.5, "account_id": "b", "user_agent": "u"},
        base | {"exchange_id": "3", "temperature": 0.6, "client_fingerprint": "ja4:x"},
        base | {"exchange_id": "4"},
    ]
    rows = ingest(b"\n".join(json.dumps(record).encode() for record in records)).rows()
    assert rows[0]["sampling_fp"] == rows[1]["sampling_fp"] != rows[2]["sampling_fp"]
    assert rows[0]["client_fp"] == rows[1]["client_fp"] != rows[2]["client_fp"]
    assert rows[3]["sampling_fp"] is rows[3]["client_fp"] is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("192.0.2.1", "192.0.2.1"), ("192.0.2.1:443", "192.0.2.1"), ("192.0.2.1, 10.0.0.1", "192.0.2.1"), ("[2001:db8::1]:443", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"), ("", None), (None, None)],
)  # fmt: skip
def test_addresses(given, wanted):
    assert address(given) == wanted


def test_client_fingerprints():
    sdk = {"x-stainless-lang": "python", "x-stainless-os": "Linux"}
    assert client_fingerprint(sdk | {"x-ja4": "t13d"}) == "ja4:t13d"
    assert client_fingerprint(sdk) == "sdk:python//Linux///"
    one_order, other = {"host": "a", "accept": "b"}, {"accept": "b", "host": "a"}
    assert client_fingerprint(one_order) != client_fingerprint(other)
    assert client_fingerprint(one_order) == client_fingerprint(one_order | {"traceparent": "x"})
    assert client_fingerprint({}) is None
    assert credential(lower_headers([["X-API-Key", "s"]])) == "s"
