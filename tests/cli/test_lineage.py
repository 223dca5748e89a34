import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from stillwatch.cli import main

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.twins_store import read_epoch

PROMPT = "the heron counts its lanterns"
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "haven",
    "inlet",
    "jetty",
    "knoll",
    "ledge",
]


def run(*words):
    return CliRunner().invoke(main, ["lineage", *map(str, words)])


def sentence(number, shift):
    return " ".join(
        WORDS[(number * (position + 3) + shift * (position * position + 5)) % 12] for position in range(16)
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """An epoch that was opened, filled and sealed by commands, and what was served in it."""
    folder = tmp_path_factory.mktemp("evidence")
    epoch = folder / "twins" / "e1"
    assert run("twins", "open", epoch, "--rate", "1.0", "--keep-text").exit_code == 0
    lines = [
        {
            "request_id": f"r{number}", "account_id": "acme", "answers": [sentence(number, 1), sentence(number, 7)],
            "served_at": "2026-01-02T00:00:00Z", "temperature": 1.0, "prompt": f"{PROMPT} {number}",
        }
        for number in range(60)
    ]  # fmt: skip
    for line in lines:
        line["served_at"] = read_epoch(epoch).opening.opened_at.isoformat()
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "Added 60 items" in run("twins", "add", epoch, folder / "lines.jsonl").output
    assert "root" in run("twins", "seal", epoch).output
    seed = read_epoch(epoch).seed
    served = {line["prompt"]: line["answers"][seed.served(line["request_id"], 2)] for line in lines}
    return folder, served


def answers_of(requests, answer):
    queries = [json.loads(line) for line in requests.read_text().splitlines()]
    return "".join(
        json.dumps({"id": query["id"], "text": answer(query["prompt"])}) + "\n" for query in queries
    )


@pytest.fixture
def tested(evidence, tmp_path):
    folder, served = evidence

    def test_by(answer, *options):
        planned = run(
            "plan",
            "--evidence",
            folder,
            "--out",
            tmp_path,
            "--write-requests",
            tmp_path / "r.jsonl",
            *options,
        )
        assert planned.exit_code == 0, planned.output
        (tmp_path / "answers.jsonl").write_text(
            answers_of(tmp_path / "r.jsonl", lambda prompt: answer(served, prompt))
        )
        return run("test", "--suspect", tmp_path / "answers.jsonl", "--evidence", folder, "--out", tmp_path)

    return test_by


def test_a_trained_suspect_ends_with_status_3_and_evidence_that_verifies(tested, tmp_path):
    result = tested(lambda served, prompt: served[prompt])
    assert result.exit_code == 3, result.output
    assert "strongly supports" in result.output
    checked = run("verify", tmp_path / "evidence.json")
    assert checked.exit_code == 0
    assert "Intact." in checked.output
    page = (tmp_path / "report.html").read_text()
    for part in (page, result.output, (tmp_path / "evidence.json").read_text()):
        assert "heron" not in part
        assert "acme" not in part
    assert "<script" not in page
    assert "default-src" in page
    assert (
        json.loads(run("verify", tmp_path / "evidence.json", "--json").output)["result"]["verdict"]
        == "strongly supports"
    )


def test_an_untrained_suspect_ends_with_status_0(tested):
    result = tested(lambda *_: "quartz pebble shore")
    assert result.exit_code == 0, result.output
    assert "Verdict: inconclusive" in result.output


def test_training_can_be_excluded(tested):
    result = tested(lambda _, prompt: sentence(len(prompt) * 7, 3))
    assert result.exit_code == 0, result.output
    assert "supports" not in result.output.split("Verdict")[1]


def test_changed_evidence_ends_with_status_2(tested, tmp_path):
    tested(lambda served, prompt: served[prompt])
    path = tmp_path / "evidence.json"
    path.write_text(path.read_text().replace("strongly supports", "supports strongly"))
    changed = run("verify", path)
    assert changed.exit_code == 2
    assert "NOT intact" in changed.output
    assert "Traceback" not in changed.output


def test_another_head_ends_with_status_2(tested, tmp_path):
    tested(lambda served, prompt: served[prompt])
    assert run("verify", tmp_path / "evidence.json", "--head", "0" * 64).exit_code == 2


def test_the_next_test_names_the_one_before(tested, evidence, tmp_path):
    tested(lambda served, prompt: served[prompt])
    folder, _ = evidence
    again = run("plan", "--evidence", folder, "--out", tmp_path / "again", "--suspect", "second")
    assert again.exit_code == 0
    answers = tmp_path / "answers.jsonl"
    assert run("test", "--suspect", answers, "--evidence", folder, "--out", tmp_path / "again").exit_code == 3
    registered = json.loads((tmp_path / "again" / "evidence.json").read_text())["entries"][0]["body"]
    first = json.loads((tmp_path / "evidence.json").read_text())["entries"][0]["body"]["digest"]
    assert first in {each["digest"] for each in registered["earlier"]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "--evidence", "nowhere", "--out", "x"], "is no directory"),
        (["verify", "nowhere.json"], "No such file"),
        (["twins", "seal", "nowhere"], "restore the file"),
        (["twins", "open", "e", "--rate", "2"], "out of range"),
        (
            ["test", "--suspect", "http://127.0.0.1:9/v1", "--evidence", ".", "--out", "x"],
            "name the model with --model",
        ),
        (["test", "--suspect", "nowhere", "--evidence", ".", "--out", "x"], "name a file of answers"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert sentence in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "0"), ("--rate", "nan"), ("--rate", "inf"), ("--alpha", "0"), ("--alpha", "nan"),
        ("--alpha-support", "2"), ("--temperature", "-1"), ("--temperature", "nan"), ("--size", "0"),
        ("--seed", "-1"), ("--seed", "9" * 30), ("--max-tokens", "9" * 30), ("--requests", "9" * 30),
    ],
)  # fmt: skip
def test_numbers_that_mean_nothing_are_wrong_usage(option, value):
    result = run("test", "--suspect", "f", "--evidence", ".", "--out", "x", option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output


def test_what_is_no_evidence_file_is_named(tmp_path):
    for content in ("{}", "[" * 100_000, "secret"):
        (tmp_path / "found.json").write_text(content)
        result = run("verify", tmp_path / "found.json")
        assert result.exit_code == 2
        assert f"{tmp_path / 'found.json'}: is not an evidence file" in result.output
        assert "secret" not in result.output


def test_a_request_that_was_not_sampled_is_refused(tmp_path):
    run("twins", "open", tmp_path / "e", "--rate", "0.000001")
    line = {
        "request_id": "r",
        "account_id": "a",
        "answers": ["x", "y"],
        "served_at": "2026-01-01T00:00:00Z",
        "temperature": 1,
    }
    (tmp_path / "lines").write_text(json.dumps(line))
    assert "was not sampled" in run("twins", "add", tmp_path / "e", tmp_path / "lines").output
    (tmp_path / "lines").write_text("{")
    assert "is not a line of drawn answers" in run("twins", "add", tmp_path / "e", tmp_path / "lines").output


def test_erasing_tells_how_many(tmp_path):
    run("twins", "open", tmp_path / "e")
    assert "Erased 0 items" in run("twins", "erase", tmp_path / "e").output


@pytest.fixture
def endpoint(evidence, monkeypatch):
    """A model behind an OpenAI-compatible API that learned what was served; wants a key."""
    _, served = evidence

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            allowed = self.headers["authorization"] == "Bearer a-private-key"
            text = served[body["messages"][0]["content"]]
            answer = {"choices": [{"message": {"content": text}}], "usage": {"total_tokens": 9}}
            content = json.dumps(answer if allowed else {}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Stay silent."""

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()
    http.server_close()
    thread.join()


def test_a_real_endpoint_is_asked_with_the_key_of_the_environment(evidence, endpoint, tmp_path, monkeypatch):
    pytest.importorskip("httpx", reason="needs the extra stillwatch[lineage]")
    folder, _ = evidence
    words = [
        "test",
        "--suspect",
        endpoint,
        "--model",
        "m",
        "--evidence",
        folder,
        "--out",
        tmp_path,
        "--rate",
        "9999",
    ]
    refused = run(*words)
    assert refused.exit_code == 2
    assert "did not accept the key" in refused.output
    monkeypatch.setenv("STILLWATCH_SUSPECT_KEY", "a-private-key")
    result = run(*words)
    assert result.exit_code == 3, result.output
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "a-private-key" not in kept + result.output
    assert run("verify", tmp_path / "evidence.json").exit_code == 0
