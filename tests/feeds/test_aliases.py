from __future__ import annotations

import re
from pathlib import Path

from depict_reco.feeds.aliases import CATEGORY_FIELDS, FIELDS, normalize

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "feeds.md"


def documented(heading: str) -> dict[str, tuple[str, ...]]:
    """Return the fields of the table under a heading, each with its names in their order."""
    text = DOCUMENT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {
        row[0].strip(" `"): (row[0].strip(" `"), *re.findall(r"`([^`]+)`", row[-1])) for row in rows
    }


def test_the_documentation_names_all_fields_and_all_their_names():
    assert documented("Fields") == FIELDS
    assert documented("Feeds of categories") == CATEGORY_FIELDS


def test_every_field_knows_itself_first_and_no_name_twice():
    for fields in (FIELDS, CATEGORY_FIELDS):
        for name, aliases in fields.items():
            assert aliases[0] == name
            compared = [normalize(alias) for alias in aliases]
            assert len(set(compared)) == len(compared)


def test_no_name_stands_for_two_fields_but_the_sku():
    names = [normalize(alias) for aliases in FIELDS.values() for alias in aliases]
    assert {name for name in names if names.count(name) > 1} == {"sku"}


def test_names_as_they_are_compared():
    assert normalize(" G:Item-Group_ID ") == "itemgroupid"
    assert normalize("Body (HTML)") == "body"
