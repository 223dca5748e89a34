"""Exit status and what is said when something fails."""

import errno
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from stillwatch import __version__
from stillwatch.cli.program import Program
from stillwatch.model.errors import InputError


@pytest.fixture
def program():
    @click.group(cls=Program)
    @click.option("--debug", is_flag=True)
    def group(debug):
        pass

    @group.command()
    @click.argument("kind")
    def fail(kind):
        if kind == "input":
            raise InputError("a.jsonl", "is empty", "name another file")
        if kind == "fault":
            raise ZeroDivisionError("the text of a prompt")
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "disk":
            raise OSError(errno.ENOSPC, "No space left on device", "/data/store/part-1")
        if kind == "reader":
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        if kind == "memory":
            raise MemoryError
        click.get_current_context().exit(3)

    return lambda *words: CliRunner().invoke(group, words)


def test_bad_input_is_one_sentence_and_status_2(program):
    result = program("fail", "input")
    assert result.exit_code == 2
    assert result.stderr == "stillwatch: a.jsonl: is empty; name another file.\n"
    assert result.stdout == ""


def test_a_fault_is_one_sentence_without_content_and_status_1(program):
    result = program("fail", "fault")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError" in result.stderr
    assert "prompt" not in result.stderr


@pytest.mark.parametrize(("kind", "error"), [("fault", ZeroDivisionError), ("input", InputError)])
def test_debug_keeps_the_traceback(program, kind, error):
    assert isinstance(program("--debug", "fail", kind).exception, error)


def test_what_the_machine_refuses_is_no_fault_of_ours(program):
    result = program("fail", "disk")
    assert result.exit_code == 2
    assert result.stderr.startswith("stillwatch: /data/store/part-1: no space left on device; mend that")
    assert program("fail", "memory").exit_code == 2


def test_a_reader_that_goes_away_hears_nothing(program):
    result = program("fail", "reader")
    assert (result.exit_code, result.output) == (141, "")


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    script = f"{sys.executable} -m stillwatch.cli {command}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


def test_output_may_be_cut_short_or_have_nowhere_to_go():
    cut = _shell("world list | true; exit ${PIPESTATUS[0]}")
    assert (cut.returncode, cut.stderr) == (141, "")
    full = _shell("world list > /dev/full")
    assert full.returncode == 2
    assert full.stderr == (
        "stillwatch: input or output: no space left on device; "
        "mend that and run again; what was stored before is untouched.\n"
    )
    assert _shell("world list >&-").returncode == 0


def test_interruption_has_its_own_status(program):
    result = program("fail", "interrupt")
    assert result.exit_code == 130
    assert "untouched" in result.stderr


def test_status_of_a_command_passes(program):
    assert program("fail", "found").exit_code == 3


def test_version(run):
    assert run("--version").stdout == f"stillwatch, version {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("scan",),
        ("scan", "x"),
        ("scan", "x", "--out", "o", "--engine", "pandas"),
        ("explain",),
    ],
)
def test_wrong_usage_is_status_2(run, words):
    assert run(*words).exit_code == 2


def test_help_does_not_load_the_parts():
    code = (
        "import sys, stillwatch.cli\n"
        "heavy = {'numba', 'duckdb', 'ibis', 'pyspark', 'scipy', 'stillwatch.detect', 'stillwatch.ingest'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
