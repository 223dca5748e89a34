import json

import numpy as np
import pytest

from stillwatch.mark.detection.keyfile import read_table
from stillwatch.mark.schemes import GumbelMax


@pytest.fixture
def keys(tmp_path, run):
    (tmp_path / "accounts.csv").write_text("account_id,cohort\nacme,north\nbolt,north\ncara,\n")
    made = run(
        "mark",
        "keys",
        "init",
        "--master",
        tmp_path / "master",
        "--plan",
        tmp_path / "plan.json",
        "--epoch",
        "2026-11",
    )
    assert made.exit_code == 0, made.output
    derived = run(
        "mark",
        "keys",
        "derive",
        "--master",
        tmp_path / "master",
        "--epoch",
        "2026-11",
        "--accounts",
        tmp_path / "accounts.csv",
        "--out",
        tmp_path / "keys.jsonl",
    )
    assert derived.exit_code == 0, derived.output
    assert "5 keys" in derived.output
    return tmp_path / "keys.jsonl"


def text_of(key, length=160):
    rng, scheme = np.random.default_rng(71), GumbelMax()
    text = [1, 2, 3, 4]
    while len(text) < length:
        offers = rng.integers(0, 300, 4)
        scores = scheme.scores(np.repeat([text[-4:]], 4, axis=0), offers, np.array([key], np.uint64))[0]
        text.append(int(offers[scores.argmax()]))
    return text


def test_a_marked_text_names_its_account(tmp_path, keys, run):
    table = read_table([keys])
    path = tmp_path / "text.jsonl"
    path.write_text(json.dumps(text_of(table.values[table.names.index("bolt")])) + "\n")
    shown = run("mark", "detect", path, "--keys", keys)
    assert shown.exit_code == 3, shown.output
    for part in (
        "account bolt of cohort north",
        "5 keys tried",
        "160 tokens",
        "decoy keys",
        "does not prove",
        "tokens ",
    ):
        assert part in shown.output
    found = run(
        "mark",
        "detect",
        path,
        "--keys",
        keys,
        "--json",
        "--level",
        "1e-6",
        "--threads",
        "1",
        "--decoys",
        "50",
    )
    report = json.loads(found.output)
    assert found.exit_code == 3
    assert [one["name"] for one in report["named"]] == ["bolt"]
    assert report["settings"]["level"] == 1e-6
    secret = f"{table.values[table.names.index('bolt')]:016x}"
    assert secret not in shown.output + found.output


def test_a_clean_text_names_nobody(tmp_path, keys, run):
    path = tmp_path / "text.jsonl"
    path.write_text(json.dumps(np.random.default_rng(3).integers(0, 300, 200).tolist()) + "\n")
    shown = run(
        "mark", "detect", path, "--keys", keys, "--scheme", "dual_key_gumbel", "--alpha", "0.2", "--fragments"
    )
    assert shown.exit_code == 0, shown.output
    assert "No key is named" in shown.output
    assert "Best, not named" in shown.output


def test_prompts_do_not_count(tmp_path, keys, run):
    table = read_table([keys])
    path = tmp_path / "text.jsonl"
    path.write_text(json.dumps(text_of(table.values[2])) + "\n")
    shown = run("mark", "detect", path, "--keys", keys, "--prompts", path, "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.output)["excluded"] == 156


def test_text_needs_its_tokenizer(tmp_path, keys, run):
    tokenizers = pytest.importorskip("tokenizers", reason="needs stillwatch[tokenizers]")
    words = {word: i for i, word in enumerate(["<unk>", *(f"w{i}" for i in range(300))])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))  # noqa: S106
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    table = read_table([keys])
    text = " ".join(f"w{i - 1}" if i else "none" for i in text_of(table.values[table.names.index("acme")]))
    (tmp_path / "text.txt").write_text(text)
    options = ("--tokenizer", tmp_path / "tokenizer.json", "--other-tokenizer", tmp_path / "tokenizer.json")
    shown = run("mark", "detect", tmp_path / "text.txt", "--keys", keys, *options)
    assert shown.exit_code == 3, shown.output
    assert "account acme" in shown.output
    assert "cuts 100% of the tokens alike" in shown.output
    served = run(
        "mark",
        "detect",
        tmp_path / "text.txt",
        "--keys",
        keys,
        *options[:2],
        "--reference",
        tmp_path / "text.txt",
    )
    assert "Forgery: " in served.output
    assert "w17 " not in shown.output
    refused = run("mark", "detect", tmp_path / "text.txt", "--keys", keys)
    assert refused.exit_code == 2
    assert "give --tokenizer" in refused.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("--level", "2"), ("--level", "nan"), ("--seed", "-1"), ("--threads", "0"), ("--threads", "-5")],
)
def test_numbers_that_mean_nothing_are_wrong_usage(run, option, value):
    refused = run("mark", "detect", "text", "--keys", "keys", option, value)
    assert refused.exit_code == 2
    assert f"Invalid value for '{option}'" in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--decoys", "3"), "out of range"),
        (("--scheme", "gumbel", "--alpha", "0.1"), "--alpha: scheme gumbel has no such parameter"),
        (("--scheme", "greenlist", "--gamma", "2"), "gamma must lie"),
        (("--other-tokenizer", "x.json"), "give --tokenizer as well"),
    ],
)
def test_bad_options_get_one_sentence(tmp_path, keys, run, options, said):
    path = tmp_path / "text.jsonl"
    path.write_text("[1, 2, 3]\n")
    refused = run("mark", "detect", path, "--keys", keys, *options)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_keys_are_rotated_and_promised(tmp_path, keys, run):
    rotated = run(
        "mark",
        "keys",
        "rotate",
        "--plan",
        tmp_path / "plan.json",
        "--epoch",
        "2027-01",
        "--starts",
        "2027-01-01T00:00:00Z",
    )
    assert rotated.exit_code == 0
    assert "2 epochs" in rotated.output
    promised = run(
        "mark",
        "keys",
        "commit",
        "--master",
        tmp_path / "master",
        "--epoch",
        "2026-11",
        "--accounts",
        tmp_path / "accounts.csv",
        "--out",
        tmp_path / "promises.json",
    )
    assert promised.exit_code == 0
    listed = json.loads((tmp_path / "promises.json").read_text())
    assert {one["key_id"] for one in listed["commitments"]} == set(read_table([keys]).key_ids)
    assert listed["digest"] in promised.output
    assert listed["scheme"] == "gumbel philox4x32-10-v1"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "id\n1\n", "its header has no column account_id"),
        ("a.csv", "account_id,cohort\n,north\n", "line 2: has no account_id"),
        ("a.csv", 'account_id\n"secret\n', "line 2: has no account_id"),
        ("a.csv", f"account_id,cohort\nx,{'secret' * 30_000}\n", "line 2: has no account_id"),
        ("a.csv", "account_id\n", "has no account in it"),
        ("a.csv", "", "its header has no column account_id"),
        ("a.ndjson", "[" * 100_000, "line 1: has no account_id"),
        ("a.csv", "account_id\nx\nx\n", "line 3: repeats an account"),
        ("a.ndjson", '{"account_id": "x"}\nsecret\n', "line 2: has no account_id"),
        ("a.ndjson", '{"account_id": 5}\n', "line 1: has no account_id"),
    ],
)
def test_bad_account_files_are_told_without_quoting_them(tmp_path, keys, run, name, content, said):
    (tmp_path / name).write_text(content)
    refused = run(
        "mark",
        "keys",
        "derive",
        "--master",
        tmp_path / "master",
        "--epoch",
        "e",
        "--accounts",
        tmp_path / name,
        "--out",
        tmp_path / "other.jsonl",
    )
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert "secret" not in refused.stderr
    assert not (tmp_path / "other.jsonl").exists()


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_accounts_may_have_a_byte_order_mark_and_any_name(tmp_path, keys, run, name):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbfaccount_id,cohort\r\nx,n\r\n")
    words = ["--master", tmp_path / "master", "--epoch", "e", "--out", tmp_path / "other.jsonl"]
    made = run("mark", "keys", "derive", *words, "--accounts", tmp_path / name)
    assert (made.exit_code, read_table([tmp_path / "other.jsonl"]).names[-1]) == (0, "x")


def test_the_plan_never_takes_the_place_of_the_master_key(tmp_path, run):
    (tmp_path / "link").symlink_to(tmp_path / "both")
    for plan in ("both", "link"):
        words = ["--master", tmp_path / "both", "--plan", tmp_path / plan, "--epoch", "e"]
        refused = run("mark", "keys", "init", *words)
        assert refused.exit_code == 2
        assert "is named for the master key too" in refused.stderr
    assert not (tmp_path / "both").exists()


def test_files_are_never_overwritten(tmp_path, keys, run):
    again = run(
        "mark",
        "keys",
        "init",
        "--master",
        tmp_path / "master",
        "--plan",
        tmp_path / "plan2.json",
        "--epoch",
        "e",
    )
    assert again.exit_code == 2
    plan = run(
        "mark", "keys", "init", "--master", tmp_path / "m2", "--plan", tmp_path / "plan.json", "--epoch", "e"
    )
    assert "use `mark keys rotate`" in plan.stderr
    bad = run("mark", "keys", "rotate", "--plan", tmp_path / "plan.json", "--epoch", "f", "--starts", "soon")
    assert "no point in time" in bad.stderr
    missing = run("mark", "keys", "rotate", "--plan", tmp_path / "none.json", "--epoch", "f")
    assert missing.exit_code == 2
