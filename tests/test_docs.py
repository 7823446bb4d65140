"""The documentation says what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

from depict_reco.conf import Settings, defaults

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "example_project/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs/tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "path", ["README.md", "docs/commands.md", "docs/settings.md", "docs/events.md"]
)
def test_the_tables_agree_with_the_code(tables: ModuleType, path: str) -> None:
    before, after = tables.render(path)
    assert before == after, "run: python docs/tables.py --write"


def test_every_setting_is_in_the_table(tables: ModuleType) -> None:
    documented = {name for name, _, _ in tables.documented_settings()}
    assert documented == set(defaults())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in defaults():
        assert f"| `{name}` |" in readme


def test_every_command_is_in_the_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "depict_reco/management/commands").glob("reco_*.py")}
    assert "reco_doctor" in names
    for name in names:
        assert f"[`{name}`](docs/commands.md#{name})" in readme


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / unquote(file)).resolve() if file else path
        assert linked.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in {_anchor(heading) for heading in headings}, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_proxy_leaves_bodies_that_are_too_large_to_the_application() -> None:
    """A 413 of nginx has no CORS headers: a page could not read it."""
    text = (ROOT / "docs/deployment.md").read_text("utf-8")
    sizes = [int(size) << 20 for size in re.findall(r"client_max_body_size (\d+)m;", text)]

    assert sizes == [2 << 20, 16 << 20]
    assert sizes[0] > Settings.MAX_BODY_BYTES
    assert sizes[1] >= Settings.MANAGEMENT_MAX_BODY_BYTES
