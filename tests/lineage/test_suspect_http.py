"""A real server on loopback, started here, plays the suspect."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("httpx", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.suspect import Budget, Query, Spent
from stillwatch.lineage.suspect_http import HttpSuspect, Pace, only_model
from stillwatch.model.errors import InputError

LARGE = Budget(1000, 10**6)


class Server:
    """Answers by a script of (status, headers) and then with 200."""

    def __init__(self):
        self.script, self.seen, self.keys = [], [], []
        self.models = 200, b'{"data": [{"id": "m-1"}]}'
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.keys.append(self.headers.get("authorization"))
                status, content = outer.models if self.path == "/v1/models" else (404, b"")
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.seen.append((self.path, body))
                outer.keys.append(self.headers.get("authorization"))
                status, headers = outer.script.pop(0) if outer.script else (200, {})
                content = json.dumps(outer.answer(body) if status == 200 else {"error": "no"}).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                """Stay silent."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    @staticmethod
    def answer(body):
        if "messages" in body:
            return {
                "choices": [{"message": {"content": "re: " + body["messages"][0]["content"]}}],
                "usage": {"total_tokens": 7},
            }
        offsets = list(range(len(body["prompt"])))
        return {
            "choices": [
                {"logprobs": {"token_logprobs": [None] + [-0.5] * (len(offsets) - 1), "text_offset": offsets}}
            ]
        }

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Server()
    yield made
    made.close()


def suspect(server, waits=None, **options):
    async def sleep(seconds):
        if waits is not None:
            waits.append(seconds)

    pace = Pace(
        **{"concurrency": 2, "per_second": 1e6, "retries": 3, "failures": 2, **options.pop("pace", {})}
    )
    return HttpSuspect(server.url, "m", pace=pace, sleep=sleep, **options)


def queries(count):
    return [Query(id=f"q{number}", kind="sample", prompt=f"p{number}") for number in range(count)]


def test_every_query_is_answered_under_its_id(server):
    spent = Spent()
    replies = suspect(server).ask(queries(9), LARGE, spent)
    assert {reply.id: reply.text for reply in replies} == {f"q{n}": f"re: p{n}" for n in range(9)}
    assert (spent.requests, spent.tokens) == (9, 63)


def test_log_probabilities_of_a_given_answer(server):
    query = Query(id="q", kind="log_prob", prompt="abc", answer="12345")
    (reply,) = suspect(server).ask([query], LARGE, Spent())
    assert reply.log_prob == -2.5


def test_a_busy_server_is_asked_again_after_what_it_asks_for(server):
    server.script = [(429, {"retry-after": "7"}), (503, {})]
    waits, spent = [], Spent()
    replies = suspect(server, waits).ask(queries(1), LARGE, spent)
    assert replies[0].text == "re: p0"
    assert [wait for wait in waits if wait >= 1.0] == [7.0, 2.0]
    assert spent.requests == 3


def test_a_refused_query_is_final_and_the_others_go_on(server):
    server.script = [(400, {})]
    replies = suspect(server).ask(queries(3), LARGE, Spent())
    assert sum(bool(reply.failed) for reply in replies) == 1
    assert len(replies) == 3


@pytest.mark.parametrize(("status", "words"), [(401, "did not accept the key"), (404, "no such model")])
def test_a_server_that_does_not_know_us_stops_the_run(server, status, words):
    server.script = [(status, {})] * 9
    with pytest.raises(InputError, match=words):
        suspect(server).ask(queries(3), LARGE, Spent())


def test_a_server_that_is_down_stops_the_run_and_keeps_what_it_said(server):
    server.script = [(200, {})] + [(500, {})] * 40
    asked = suspect(server, pace={"concurrency": 1})
    assert [reply.id for reply in asked.ask(queries(5), LARGE, Spent())] == ["q0"]
    with pytest.raises(InputError, match="did not answer 2 requests in a row"):
        asked.ask(queries(5), LARGE, Spent())


def test_nobody_there(server):
    absent = HttpSuspect("http://127.0.0.1:9/v1", "m", pace=Pace(retries=0, failures=1))
    with pytest.raises(InputError, match="run the same command again"):
        absent.ask(queries(1), LARGE, Spent())


def test_the_budget_holds_for_tries_too(server):
    server.script = [(500, {})] * 2
    spent = Spent()
    replies = suspect(server, pace={"concurrency": 1}).ask(queries(9), Budget(5, 10**6), spent)
    assert spent.requests == len(server.seen) == 5
    assert len(replies) == 3
    few = suspect(server, pace={"concurrency": 1}).ask(queries(9), Budget(100, 20), Spent())
    assert len(few) == 3


def test_requests_are_paced(server):
    waits = []
    paced = suspect(server, waits, pace={"per_second": 2.0, "concurrency": 1})
    paced.clock = lambda: 0.0
    paced.ask(queries(3), LARGE, Spent())
    assert waits == [0.5, 1.0]


def test_the_key_goes_to_the_server_and_nowhere_else(server, caplog, capsys):
    key = "sk-very-private"
    with caplog.at_level("DEBUG"):
        asked = suspect(server, key=key)
        asked.ask(queries(1), LARGE, Spent())
    assert server.keys == [f"Bearer {key}"]
    shown = repr(asked) + asked.label + caplog.text + "".join(capsys.readouterr())
    assert key not in shown


@pytest.mark.parametrize("url", ["ftp://x/v1", "x", "https://user:secret@host/v1", "https://host/v1?key=1"])
def test_what_is_no_address_is_refused_without_quoting_it(url):
    with pytest.raises(InputError, match="not an address") as refused:
        HttpSuspect(url, "m")
    assert "secret" not in str(refused.value)


def test_a_key_is_not_sent_in_the_clear():
    with pytest.raises(InputError, match="unencrypted"):
        HttpSuspect("http://model.example/v1", "m", key="k")
    HttpSuspect("https://model.example/v1", "m", key="k")


def test_a_server_that_refuses_everything_is_no_answer(server):
    server.script = [(400, {})] * 20
    with pytest.raises(InputError, match="refuses every request"):
        suspect(server).ask(queries(12), LARGE, Spent())


def test_a_small_batch_without_any_answer_is_no_result(server):
    server.script = [(500, {})] * 20
    with pytest.raises(InputError, match="did not answer"):
        suspect(server, pace={"failures": 9}).ask(queries(1), LARGE, Spent())


def test_pace_is_kept_from_batch_to_batch(server):
    waits = []
    paced = suspect(server, waits, pace={"per_second": 2.0, "concurrency": 1})
    paced.clock = lambda: 0.0
    paced.ask(queries(1), LARGE, Spent())
    paced.ask(queries(1), LARGE, Spent())
    assert waits == [0.5]


def test_the_only_model_of_a_server_needs_no_name(server):
    found = only_model(HttpSuspect(server.url, "", "a-key"))
    assert found == "m-1"
    assert server.keys == ["Bearer a-key"]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ((200, b'{"data": [{"id": "secret-a"}, {"id": "b"}]}'), "has 2 models"),
        ((200, b'{"data": []}'), "has 0 models"),
        ((200, b"<html>"), "does not tell"),
        ((401, b""), "does not tell"),
    ],
    ids=["two", "none", "no list", "refused"],
)
def test_otherwise_a_model_has_to_be_named(server, models, words):
    server.models = models
    with pytest.raises(InputError, match=f"{words}.*--model") as raised:
        only_model(HttpSuspect(server.url, ""))
    assert "secret-a" not in str(raised.value)


def test_a_server_that_is_not_there_tells_no_model(server):
    server.close()
    with pytest.raises(InputError, match="did not answer when asked"):
        only_model(HttpSuspect(server.url, ""))
