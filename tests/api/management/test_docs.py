"""The requests and answers in ``docs/management-api.md`` are tried."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from depict_reco.api.management.urls import router

PAGE = (Path(__file__).parents[3] / "docs" / "management-api.md").read_text()
REQUESTS = re.findall(r"```sh\n(curl .*?)```", PAGE, flags=re.DOTALL)


def ask(api, command: str):
    words = shlex.split(command)
    address = next(word for word in words if word.startswith("$HOST")).removeprefix("$HOST")
    if "-d" in words:
        return api.post(address, json.loads(words[words.index("-d") + 1]))
    return api.get(address)


def test_there_are_examples():
    assert len(REQUESTS) == 4


@pytest.mark.parametrize("command", REQUESTS)
def test_the_examples_work(acme, api, command):
    answer = ask(api, command)

    assert answer.status_code == 200
    assert "results" not in answer.json() or answer.json()["results"]


def test_the_bulk_answer_is_the_one_shown(acme, api):
    shown = json.loads(re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)[1])
    answer = ask(api, next(command for command in REQUESTS if 'products/bulk"' in command)).json()

    for result in (*shown["results"], *answer["results"]):
        result["id"] = result["id"] is not None
    assert answer == shown

    gone = ask(api, next(command for command in REQUESTS if "bulk-delete" in command)).json()
    assert gone == {"deleted": 1, "not_found": ["gone"]}
    assert json.dumps(gone) in PAGE


def test_the_table_has_every_resource_with_its_filters():
    rows = re.findall(r"^\| `([a-z-]+)` \| .* \| (`.*`|) ?\|$", PAGE, flags=re.MULTILINE)
    listed = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}

    assert listed == {
        prefix.rpartition("/")[2]: set(view.filterset_class.base_filters)
        if hasattr(view, "filterset_class")
        else set()
        for prefix, view, _ in router.registry
    }
