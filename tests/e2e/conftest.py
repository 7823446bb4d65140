from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.processes import newest_postgres
from tests.e2e.storefront import BROWSER, run

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def installation():
    """Two web servers on a PostgreSQL and a Redis of their own, all started here."""
    if newest_postgres() is None:
        pytest.skip("no PostgreSQL server is installed here (/usr/lib/postgresql)")
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed here")
    # not below pytest's own folder, which the user postgres may not enter
    folder = Path(tempfile.mkdtemp(prefix="reco-e2e-"))
    folder.chmod(0o755)
    whole = Installation(folder)
    try:
        whole.start()
        yield whole
    finally:
        whole.clean_up()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium():
    """The browser, and what drives it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed here")
    needed = json.loads((BROWSER / "package.json").read_text())["engines"]["node"]
    node = run(["node", "--version"]).strip()
    if numbers(node) < numbers(needed):
        pytest.skip(f"what drives the browser needs node {needed}, here is {node}")
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip("Chromium is not installed here")
    installed = BROWSER / "node_modules/.package-lock.json"
    lock = BROWSER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run(["npm", "ci", "--ignore-scripts"])
    return found


def numbers(version: str) -> list[int]:
    """Return the parts of a version, to be compared."""
    return [int(part) for part in re.findall(r"\d+", version)]
