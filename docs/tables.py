"""Write the tables of the documentation that repeat the code: settings, commands, events.

    python docs/tables.py            says whether they agree; exit code 1 if they do not
    python docs/tables.py --write    makes them agree

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` in the files below.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLAIN_ARGUMENTS = {"tenant": "Slug of the tenant.", "market": "Slug of the market."}
"""What goes without saying in a command's own help."""


def settings_table() -> str:
    """Each key of ``DEPICT_RECO`` with its default and the docstring under it."""
    rows = ["| key | default | what it does |", "|---|---|---|"]
    rows += [
        f"| `{name}` | `{default}` | {_cell(text)} |"
        for name, default, text in documented_settings()
    ]
    return "\n".join(rows)


def commands_table() -> str:
    """Each command with the first sentence of its help."""
    rows = ["| command | what it does |", "|---|---|"]
    rows += [
        f"| [`{name}`](docs/commands.md#{name}) | {_cell(_first_sentence(parser))} |"
        for name, parser in commands()
    ]
    return "\n".join(rows)


def commands_reference() -> str:
    """Each command with its whole help and its arguments."""
    return "\n\n".join(_reference(name, parser) for name, parser in commands())


def event_fields() -> str:
    """Each field of an event file with the names that it is known by."""
    from depict_reco.events.names import FIELDS

    rows = ["| field | known names |", "|---|---|"]
    rows += [f"| `{field}` | {_names(names)} |" for field, names in FIELDS.items()]
    return "\n".join(rows)


def event_nesting() -> str:
    """The keys that event files may have around the fields."""
    from depict_reco.events.names import ENVELOPES, LISTS, PARTS

    return (
        f"In JSON and nested Parquet the same names are known inside "
        f"{_names(sorted(ENVELOPES | PARTS - LISTS))}. Lists under {_names(sorted(LISTS))} are the "
        "lines of an order, or the events of a session: each becomes an event, with what is said "
        "around it."
    )


def event_types() -> str:
    """Each type of event with the names that it is known by."""
    from depict_reco.events.names import IGNORED_TYPES, TYPES

    rows = ["| type | known names |", "|---|---|"]
    rows += [f"| `{name}` | {_names(names)} |" for name, names in TYPES.items()]
    return "\n".join([*rows, f"| counted as `ignored` | {_names(IGNORED_TYPES)} |"])


def event_counts() -> str:
    """Each count of an event import, with the docstring under it."""
    rows = ["| count | what it counts |", "|---|---|"]
    for name, default, text in _documented("events/results.py", "EventImportResult"):
        if default == "0":
            rows.append(f"| `{name}` | {_cell(text)} |")
    return "\n".join(rows)


TABLES: dict[str, tuple[tuple[str, Callable[[], str]], ...]] = {
    "README.md": (("settings", settings_table), ("commands", commands_table)),
    "docs/commands.md": (("commands", commands_reference),),
    "docs/settings.md": (("settings", settings_table),),
    "docs/events.md": (
        ("fields", event_fields),
        ("nesting", event_nesting),
        ("types", event_types),
        ("counts", event_counts),
    ),
}


def documented_settings() -> Iterator[tuple[str, str, str]]:
    """Yield name, default and docstring of each setting, in the order of the file."""
    return _documented("conf.py", "Settings")


def _documented(path: str, class_name: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and docstring of each field of a class that has a default."""
    tree = ast.parse((ROOT / "depict_reco" / path).read_text(encoding="utf-8"))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    for field, text in itertools.pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        documented = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if not documented or field.value is None:
            raise SystemExit(f"{field.target.id} in {path} needs a default and a docstring")
        yield field.target.id, ast.unparse(field.value), str(text.value.value)


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command of the app with its argument parser."""
    set_up_django()
    from django.core.management import get_commands, load_command_class

    for name, app in sorted(get_commands().items()):
        if app == "depict_reco":
            yield name, load_command_class(app, name).create_parser("manage.py", name)


def set_up_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    sys.path.insert(0, str(ROOT))
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def _reference(name: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"## {name}", " ".join((parser.description or "").split())]
    if rows := list(_arguments(parser)):
        parts.append("\n".join(["| argument | meaning |", "|---|---|", *rows]))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for word, child in action.choices.items():
                parts.append(f"### {name} {word}")
                parts.append(" ".join((helps.get(word) or child.description or "").split()))
                if rows := list(_arguments(child)):
                    parts.append("\n".join(["| argument | meaning |", "|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    shared = {
        "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback",
        "--no-color", "--force-color", "--skip-checks",
    }  # fmt: skip
    for action in parser._actions:
        if shared & set(action.option_strings) or isinstance(action, argparse._SubParsersAction):
            continue
        shown = action.metavar or (
            action.dest if not action.option_strings else action.dest.upper()
        )
        value = "" if action.nargs == 0 and action.option_strings else str(shown)
        if action.choices and not action.metavar:
            value = "|".join(str(choice) for choice in action.choices)
        words = " ".join(filter(None, [", ".join(action.option_strings), value]))
        if not action.option_strings and action.nargs in ("?", "*"):
            words = f"[{words}]"
        meaning = str(action.help or PLAIN_ARGUMENTS.get(action.dest, "")).replace("%%", "%")
        yield f"| `{_cell(words)}` | {_cell(meaning)} |"


def _first_sentence(parser: argparse.ArgumentParser) -> str:
    return re.split(r"(?<=\.)\s", " ".join((parser.description or "").split()), maxsplit=1)[0]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def render(path: str) -> tuple[str, str]:
    """Return the text of a file as it is, and as it should be."""
    before = after = (ROOT / path).read_text(encoding="utf-8")
    for name, table in TABLES[path]:
        begin, end = f"<!-- begin {name} -->\n", f"\n<!-- end {name} -->"
        head, rest = after.split(begin)
        _, tail = rest.split(end)
        after = f"{head}{begin}{table()}{end}{tail}"
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="make the files agree with the code")
    write = parser.parse_args().write
    stale = False
    set_up_django()
    for path in TABLES:
        before, after = render(path)
        if before != after:
            stale = True
            sys.stdout.write(f"{path}: {'written' if write else 'does not agree with the code'}\n")
            if write:
                (ROOT / path).write_text(after, encoding="utf-8")
    sys.exit(1 if stale and not write else 0)


if __name__ == "__main__":
    main()
