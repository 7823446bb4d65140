"""The README's commands exist, and are what CI and the demo run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```\w*\n(.*?)^ *```", README, flags=re.M | re.S)


def _one_liners() -> list[str]:
    return [
        block.strip()
        for block in BLOCKS
        if block.startswith("python3 -m venv") and block.count("\n") == 1
    ]


def test_the_first_command_installs_and_runs_the_demo_the_second_the_tests() -> None:
    demo, tests = _one_liners()
    assert demo.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert demo.endswith(" && .venv/bin/python manage.py demo")
    assert tests == (
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
        " && .venv/bin/python -m pytest -n 2"
    )


def test_the_first_command_installs_what_the_requirements_name() -> None:
    demo, _ = _one_liners()
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "-e '.[fast]' dj-database-url" in demo
    assert "-e .[fast," in requirements
    assert "\ndj-database-url" in requirements


def test_only_great_data_sets_outages_and_browsers_are_left_out_of_the_second_command() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert options["testpaths"] == ["tests"]
    assert not {"-k", "--ignore", "--deselect"} & set(options["addopts"])
    assert options["addopts"][-2:] == ["-m", "not great and not faults and not browser"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`-m great`" in readme
    assert "`-m faults`" in readme
    assert "`-m browser`" in readme
    steps = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pytest -n 2 -m great\n" in steps
    assert "pytest -m faults\n" in steps
    assert "pytest -m browser\n" in steps


def test_ci_takes_the_command_from_the_readme() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "sed -n '/^```/,/^```/p' README.md | grep -m1 -- '-m pytest'" in script
    assert "pip install -r requirements.txt &&" not in script


def _shown_commands() -> list[list[str]]:
    lines = re.findall(r"^ *python manage\.py (reco_\w+)(.*)$", "\n".join(BLOCKS), flags=re.M)
    return [[name, *words.split()] for name, words in lines]


@pytest.mark.parametrize("words", _shown_commands(), ids=" ".join)
def test_the_commands_take_the_arguments_shown(words: list[str]) -> None:
    name, *arguments = words
    app = get_commands()[name]
    command = load_command_class(str(app), name)
    command.create_parser("manage.py", name).parse_args(arguments)


def test_commands_are_shown() -> None:
    assert len(_shown_commands()) >= 6


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:GET|POST) (/[\w/-]+)", README))))
def test_the_endpoints_are_there(path: str) -> None:
    try:
        resolve(path)
    except Resolver404:
        pytest.fail(f"{path} is in the README and nowhere else")
