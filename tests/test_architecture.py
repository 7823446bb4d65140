"""The rooms of the package, and the one rule: look upstream only.

The table below is the architecture: a room that needs more must be argued for here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "depict_reco"

EVERYBODY = {"", "conf", "exceptions", "signals"}
"""May be imported from everywhere; "" is the package itself, which holds its version."""
ALONE = {"", "conf", "exceptions", "signals", "engine"}
"""Import nothing of ours but themselves."""
EVERYTHING = {"*"}

MAY_IMPORT: dict[str, set[str]] = {
    **{room: set() for room in ALONE},
    "tenants": set(),
    "catalog": {"tenants"},
    "feeds": {"catalog", "tenants"},
    # a click names no product but what the recommendation id holds
    "events": {"serving.tracking", "catalog", "tenants"},
    "training": {"catalog", "events", "engine", "tenants"},
    "artifacts": {"training", "engine", "tenants"},
    "serving": {"catalog", "events", "artifacts", "engine", "tenants"},
    "analytics": {"serving.tracking", "events", "catalog", "tenants"},
    "api": {"serving", "events", "analytics", "catalog", "tenants"},
    # it shows every model and starts every act, and reaches both through the doors of the app
    "api.management": {
        "models", "tasks", "api", "serving", "events", "analytics", "catalog", "tenants",
    },
    # it reports on every room, and reads them through the same door
    "api.health": {"models", "api", "serving", "tenants"},
    # what ties the rooms together
    "apps": EVERYTHING,
    "checks": EVERYTHING,
    "models": EVERYTHING,
    "tasks": EVERYTHING,
    "urls": EVERYTHING,
    "admin": EVERYTHING,
    "management": EVERYTHING,
    "templatetags": EVERYTHING,
    "contrib": EVERYTHING,
    # what users of the engine test their own models with
    "testing": {"engine"},
}  # fmt: skip

IMPORTED_BY_NOBODY = {"contrib", "admin", "management", "templatetags", "testing", "urls"}
MOUNTED = {("urls", "contrib")}
"""The index of addresses may name what it mounts."""

NO_DJANGO_EITHER = {"engine"}
DJANGO = {"django", "rest_framework", "django_filters", "drf_spectacular"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").strip("."): (
        path
    )
    for path in sorted(PACKAGE.rglob("*.py"))
    if "migrations" not in path.parts
}
"""Source by the dotted name below the package."""
ENGINE = [name for name in MODULES if name.split(".")[0] == "engine"]


def room_of(module: str) -> str:
    """Return the row of the table that a module below the package belongs to."""
    for room in ("api.management", "api.health"):
        if module.startswith(room):
            return room
    return module.split(".")[0]


def imports_of(source: str) -> Iterator[str]:
    """Yield the full names of all that a source imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def own_module(name: str) -> str | None:
    """Return the module of ours that an imported name lies in, below the package."""
    if name != "depict_reco" and not name.startswith("depict_reco."):
        return None
    below = name.removeprefix("depict_reco").strip(".")
    while below not in MODULES:
        below = below.rpartition(".")[0]
    return below


def complaints(module: str, source: str) -> list[str]:
    """Say what a module imports against the table."""
    room, found = room_of(module), []
    allowed = {room} if room in ALONE else MAY_IMPORT[room] | EVERYBODY | {room}
    for name in imports_of(source):
        if room in NO_DJANGO_EITHER and name.split(".")[0] in DJANGO:
            found.append(f"{module} imports {name}, and {room} knows no Django")
        target = own_module(name)
        if target is None:
            continue
        target_room = room_of(target)
        if target_room in IMPORTED_BY_NOBODY - {room} and (room, target_room) not in MOUNTED:
            found.append(f"{module} imports {target}, which nobody may import")
        elif not (MAY_IMPORT[room] == EVERYTHING or {target_room, target} & allowed):
            found.append(f"{module} imports {target}, which does not lie upstream of {room}")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_rooms_look_upstream_only(module):
    assert complaints(module, MODULES[module].read_text()) == []


def test_every_room_has_its_row():
    assert {room_of(module) for module in MODULES} <= MAY_IMPORT.keys()


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("catalog.models", "from depict_reco.tenants.models import Market", False),
        ("catalog.models", "from depict_reco.feeds.models import Feed", True),
        ("catalog.models", "from depict_reco import feeds", True),
        ("catalog.models", "import depict_reco.feeds.models", True),
        ("catalog.models", "def f():\n    from depict_reco.feeds import importer", True),
        ("catalog.models", "from depict_reco.models import Tenant", True),
        ("catalog.models", "from depict_reco import __version__", False),
        ("catalog.models", "from depict_reco.conf import settings", False),
        ("engine.model", "from depict_reco.exceptions import TrainingError", True),
        ("engine.model", "from depict_reco.engine import sparse", False),
        ("engine.model", "from django.utils import timezone", True),
        ("engine.model", "from depict_reco.tenants import secrets", True),
        ("conf", "from depict_reco.tenants import secrets", True),
        ("conf", "from depict_reco.exceptions import FeedError", True),
        ("analytics.reports", "from depict_reco.serving.tracking import recommendation_ids", False),
        ("analytics.reports", "from depict_reco.serving.recommend import recommend", True),
        ("api.views", "from depict_reco.models import Tenant", True),
        ("api.management.views", "from depict_reco.models import Tenant", False),
        ("api.health", "from depict_reco.models import FeedRun", False),
        ("api.health", "from depict_reco.artifacts import store", True),
        ("api.management.views", "from depict_reco import tasks", False),
        ("api.management.views", "from depict_reco.feeds.models import Feed", True),
        ("tasks", "from depict_reco.contrib import spectacular", True),
        ("urls", "from depict_reco.contrib.spectacular import urls", False),
        ("tasks", "from depict_reco.feeds.importer import import_products", False),
    ],
)
def test_the_rule_itself(module, source, wrong):
    assert bool(complaints(module, source)) is wrong


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_does_not_load_django(module):
    code = (
        f"import sys, depict_reco.{module}\n"
        f"loaded = {{name.split('.')[0] for name in sys.modules}} & {DJANGO!r}\n"
        "ours = {name.split('.')[1] for name in sys.modules if name.startswith('depict_reco.')}\n"
        "sys.exit(f'loaded {loaded or ours}' if loaded or ours != {'engine'} else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_what_only_answers_does_not_load_scipy():
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "django.setup()\n"
        "import depict_reco.urls, depict_reco.engine.model\n"
        "sys.exit('scipy was loaded' if 'scipy' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
