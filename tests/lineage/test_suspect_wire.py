import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.suspect import Query
from stillwatch.lineage.suspect_wire import chosen_place, ranking_prompt, reply_of, request_of

SAMPLE = Query(id="q", kind="sample", prompt="hello", seed=3)
SCORED = Query(id="q", kind="log_prob", prompt="hello", answer=" world")


def test_samples_are_asked_of_the_chat_endpoint_and_scores_of_the_completions_one():
    path, body = request_of(SAMPLE, "m", "{prompt}\n")
    assert path == "/chat/completions"
    assert (body["messages"], body["seed"]) == ([{"role": "user", "content": "hello"}], 3)
    path, body = request_of(SCORED, "m", "{prompt}\n")
    assert path == "/completions"
    assert (body["prompt"], body["echo"]) == ("hello\n world", True)


def test_only_tokens_of_the_answer_are_summed():
    content = json.dumps(
        {
            "choices": [
                {
                    "text": "hello\n world!",
                    "logprobs": {
                        "token_logprobs": [None, -1.0, -2.0, -4.0, -8.0],
                        "text_offset": [0, 5, 6, 9, 12],
                    },
                }
            ],
            "usage": {"total_tokens": 6},
        }
    ).encode()
    reply = reply_of(SCORED, content, "{prompt}\n")
    assert (reply.log_prob, reply.tokens, reply.failed) == (-6.0, 6, "")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"choices":[]}', b"\xff\xfe", b'{"choices":[{"message":{}}]}']
)
def test_a_response_of_another_form_is_a_failed_reply(content):
    assert reply_of(SAMPLE, content, "{prompt}").failed
    assert reply_of(SCORED, content, "{prompt}").failed


@given(st.binary())
def test_no_response_is_an_exception(content):
    assert reply_of(SAMPLE, content, "{prompt}").failed


def test_texts_are_in_no_representation():
    assert "hello" not in repr(SAMPLE)
    assert "world" not in repr(SCORED)
    assert "secret" not in repr(reply_of(SAMPLE, b'{"choices":[{"message":{"content":"secret"}}]}', ""))


@pytest.mark.parametrize(
    ("text", "place"), [("B", 1), ("Answer A.", 0), ("**B**", 1), ("neither", None), ("", None), ("C", None)]
)
def test_the_letter_is_read(text, place):
    assert chosen_place(text, 2) == place


def test_answers_are_shown_in_the_given_order():
    shown = ranking_prompt("why?", ["first", "second"])
    assert shown.index("Answer A:\nfirst") < shown.index("Answer B:\nsecond")
