"""The ids of a shopper, as commands take them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError


def add_id_arguments(parser: ArgumentParser) -> None:
    """Let a command take ids as words, or from a file."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="Session or user id; put -- before one with a -."
    )
    parser.add_argument(
        "--input",
        metavar="FILE",
        help="Read ids from a file, one per line, or from standard input (-): so they stay out "
        "of the list of processes and the history of the shell.",
    )


def read_ids(options: dict[str, Any]) -> tuple[str, ...]:
    """Return the ids that were given either way; raises CommandError."""
    return (*options["ids"], *_lines(options["input"]))


def _lines(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{name} is not UTF-8 text.") from None
    return text.splitlines()
