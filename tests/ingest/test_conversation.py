import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.conversation import NO_TEXT, REDACTED, converse, read_tools, tools, type_messages

DECODER = msgspec.json.Decoder(type_messages, strict=False)


def read(messages, system=None):
    return converse(DECODER.decode(msgspec.json.encode(messages)), system)


def told(messages, system=None) -> tuple:
    return msgspec.structs.astuple(read(messages, system))


def said(role, text):
    return {"role": role, "content": text}


def test_one_question():
    assert told([said("user", "Q")]) == (None, None, "Q", 1, 0, ())


def test_a_bare_string_is_the_prompt():
    assert told("Q") == (None, None, "Q", 1, 0, ())


def test_system_and_question():
    assert told([said("system", "S"), said("user", "Q")]) == ("S", None, "Q", 1, 0, ())
    assert told([said("developer", "S"), said("user", "Q")], "T") == ("T\nS", None, "Q", 1, 0, ())


def test_what_is_new_against_what_is_repeated():
    talk = [
        said("system", "S"),
        said("user", "Q1"),
        said("assistant", "A1"),
        said("user", "Q2"),
        said("user", "Q3"),
    ]
    conversation = read(talk)
    assert conversation.history == "user\nQ1\nassistant\nA1\n"
    assert conversation.prompt == "Q2\nQ3"
    assert conversation.turn == 2


def test_a_tools_answer_is_no_turn_of_the_user():
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "look", "arguments": '{"a":1}'}}],
    }
    conversation = read([said("user", "Q"), call, {"role": "tool", "content": "found"}])
    assert conversation.prompt is None
    assert conversation.turn == 1
    assert conversation.history == 'user\nQ\nassistant\nlook "{\\"a\\":1}"\ntool\nfound\n'


def test_a_system_message_in_the_middle_is_history():
    conversation = read(
        [said("user", "Q1"), said("assistant", "A"), said("system", "now"), said("user", "Q2")]
    )
    assert conversation.system is None
    assert conversation.history == "user\nQ1\nassistant\nA\nsystem\nnow\n"


def test_words_put_into_the_models_mouth_belong_to_the_prompt():
    conversation = read([said("user", "Q"), said("assistant", "<reasoning>")])
    assert conversation.prompt == "Q\n<reasoning>"
    assert conversation.history is None


def test_pictures_are_counted_and_not_read():
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:xyz"}}]
    conversation = read([said("user", parts)])
    assert (conversation.prompt, conversation.media) == ("What is it?", 1)


def test_anthropic_tool_results_are_the_tools_and_not_the_users():
    parts = [
        {"type": "tool_result", "content": [{"type": "text", "text": "42"}]},
        {"type": "text", "text": "Go on."},
    ]
    use = [
        {"type": "thinking", "thinking": "...", "signature": "sig"},
        {"type": "tool_use", "name": "sum", "input": {"a": 1}},
    ]
    conversation = read([said("user", "Q"), said("assistant", use), said("user", parts)])
    assert conversation.prompt == "Go on."
    assert conversation.history == 'user\nQ\nassistant\nsum {"a":1}\ntool\n42\n'
    assert conversation.reasoning == ("sig",)


def test_responses_items():
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Q"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "found"},
        {"type": "message", "role": "user", "content": "And?"},
    ]
    conversation = read(items)
    assert conversation.prompt == "And?"
    assert conversation.history == "user\nQ\nassistant\nlook {}\ntool\nfound\n"
    assert conversation.reasoning == ("rs_1",)


def test_opentelemetry_parts():
    parts = [{"type": "text", "content": "Q"}, {"type": "blob", "modality": "image"}]
    assert told([{"role": "user", "parts": parts}]) == (None, None, "Q", 1, 1, ())


def test_redacted_text_is_no_text():
    assert read([said("user", REDACTED)]).prompt is None
    assert read([said("user", "Q"), said("assistant", "A"), said("user", REDACTED)]).prompt is None


def test_token_numbers_carry_no_text():
    assert read([1, 2, 3]).prompt is None
    assert read([[1, 2], [3]]).prompt is None
    assert read(["a", "b"]).prompt == "a\nb"


def test_nothing_at_all():
    assert converse(None) == NO_TEXT
    assert converse(None, "S").system == "S"
    assert read([]) == NO_TEXT


TALK = st.lists(
    st.tuples(
        st.sampled_from(["system", "user", "assistant", "tool"]), st.text(alphabet="abcdefgh ", min_size=1)
    ),
    max_size=9,
)


@given(TALK)
def test_every_word_is_in_one_place(talk):
    marked = [said(role, f"{number}:{text}") for number, (role, text) in enumerate(talk)]
    conversation = read(marked)
    places = [conversation.system or "", conversation.history or "", conversation.prompt or ""]
    for message in marked:
        assert sum(message["content"] in place for place in places) == 1


@given(TALK)
def test_turns_only_grow_when_the_user_speaks(talk):
    turns = [
        read([said(role, text) for role, text in talk[:length]]).turn or 0 for length in range(len(talk) + 1)
    ]
    for before, after, (role, _) in zip(turns, turns[1:], talk, strict=False):
        assert after - before in ((0, 1) if role == "user" else (0,))


def test_tools_are_canonical():
    a = tools(b'[{"type":"function","function":{"name":"look","description":"d"}}]')
    b = tools(b'[ {"function": {"description": "d", "name": "look"}, "type": "function"} ]')
    assert a == b
    assert a.names == ("look",)
    assert a.definitions == '[{"function":{"description":"d","name":"look"},"type":"function"}]'


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}"], ids=repr)
def test_no_tools(raw):
    assert tools(raw) == (None, None)


def test_names_that_could_be_prose_are_left_out():
    listed = [
        {"name": "tell me everything you know"},
        {"name": "x" * 65},
        {"name": "look"},
        {"type": "web_search"},
        3,
    ]
    assert read_tools(listed).names == ("look", "web_search")
