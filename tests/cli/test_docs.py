"""docs/cli.md and README.md say what the command line is, and nothing else."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from stillwatch.app.config import Settings, load_settings
from stillwatch.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/cli.md").read_text()
README = (ROOT / "README.md").read_text()


def commands(group=main, prefix="stillwatch"):
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        yield full, command
        if isinstance(command, click.Group):
            yield from commands(command, full)


COMMANDS = dict(commands())


def sections():
    parts = re.split(r"^#{2,3} (.+)$", DOCS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(command):
    return {
        name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts
    }


def test_every_command_has_a_section_and_the_other_way_round():
    documented = {title for title in sections() if title.startswith("stillwatch ")}
    assert documented == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_the_other_way_round(name):
    documented = set(re.findall(r"`?(--[a-z][a-z-]*)", sections()[name]))
    mentioned_of_others = {"--out"} if name in {"stillwatch explain", "stillwatch world score"} else set()
    assert documented - mentioned_of_others == options(COMMANDS[name])


def test_options_of_the_program_are_documented():
    for option in options(main):
        assert f"stillwatch {option}" in DOCS


def test_every_option_has_help_in_the_program():
    for command in COMMANDS.values():
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help


def test_settings_of_the_example_are_all_settings(tmp_path):
    example = re.search(r"```toml\n(.*?)```", DOCS, re.DOTALL)[1]
    assert set(tomllib.loads(example)) == set(Settings.__struct_fields__)
    (tmp_path / "example.toml").write_text(example)
    assert load_settings(tmp_path / "example.toml", {}).detect == {"least_accounts": 8}


def test_commands_in_the_readme_exist():
    lines = re.findall(r"^ {4}(stillwatch .*)$", README, re.MULTILINE) + re.findall(
        r"`(stillwatch [^`]+)`", README
    )
    calls = [shlex.split(line) for line in lines]
    assert calls
    for _, *words in calls:
        command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        given = {word for word in words if word.startswith("--")}
        assert given <= options(command)


def test_make_targets_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "lint", "bench-quality", "bench-speed", "clean"} <= targets
    assert set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets
