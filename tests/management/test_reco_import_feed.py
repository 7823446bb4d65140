from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from depict_reco.models import Category, Feed, FeedRun, Market, Product, Tenant

pytestmark = pytest.mark.django_db

TABLE = "id,title,price\n1,Shirt,5\n2,Blouse,6\n"


@pytest.fixture(autouse=True)
def market() -> Market:
    tenant = Tenant.objects.create(slug="acme", name="acme")
    return Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "feed.csv"
    path.write_text(TABLE)
    return str(path)


def run(*words: str) -> tuple[str, str]:
    """Run the command; return what it says on standard output and on standard error."""
    out, errors = io.StringIO(), io.StringIO()
    call_command("reco_import_feed", "acme", "se", *words, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def without_seconds(text: str) -> str:
    return text.rpartition(" in ")[0]


def test_a_file_is_imported_and_then_changes_nothing(source):
    out, errors = run(source)
    assert without_seconds(out) == (
        "acme/se: 2 created, 0 updated, 0 unchanged, 0 rejected, 0 deactivated"
    )
    assert errors == ""
    out, _ = run(source)
    assert without_seconds(out) == (
        "acme/se: nothing changed; 0 created, 0 updated, 2 unchanged, 0 rejected, 0 deactivated"
    )


def test_standard_input(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(TABLE.encode())))
    monkeypatch.setattr(sys, "stdin", stdin)
    run("-")
    assert Product.objects.count() == 2


def test_json_is_one_object(source):
    out, _ = run(source, "--json")
    report = json.loads(out)
    assert (report["created"], report["status"], report["market"]) == (2, "succeeded", "acme/se")
    assert FeedRun.objects.get().pk == report["run_id"]


def test_rejections_are_shown(tmp_path):
    path = tmp_path / "feed.csv"
    path.write_text(TABLE + ",x,1\n" * 12)
    out, errors = run(str(path))
    assert "12 rejected" in out
    assert errors.splitlines()[0] == "Rejected line 4: product_id: is empty"
    assert len(errors.splitlines()) == 11
    assert errors.splitlines()[-1] == "... 12 rows were rejected in all."


def test_a_dry_run(source):
    out, _ = run(source, "--dry-run")
    assert out.startswith("acme/se: dry run: 2 created")
    assert Product.objects.count() == 0


def test_a_full_feed(source, tmp_path):
    run(source)
    other = tmp_path / "other.csv"
    other.write_text(TABLE.replace("2,Blouse,6\n", ""))
    out, _ = run(str(other), "--full")
    assert "1 unchanged, 0 rejected, 1 deactivated" in out


@pytest.mark.parametrize(
    "words",
    [
        ("{source}", "--map", "product_id=nr", "title=namn"),
        ("{source}", "--map=product_id=nr", "--map", "title=namn"),
        ("--map", "product_id=nr", "title=namn", "{source}"),
    ],
)
def test_columns_are_mapped(tmp_path, words):
    path = tmp_path / "feed.csv"
    path.write_text("nr,namn\n1,Skjorta\n")
    run(*(word.format(source=path) for word in words))
    assert Product.objects.get().title == "Skjorta"


def test_a_format_is_named(tmp_path):
    path = tmp_path / "feed"
    path.write_text('{"id": 1, "title": "x"}')
    run(str(path), "--format", "json")
    assert Product.objects.get().product_id == "1"


def test_categories(tmp_path):
    path = tmp_path / "categories.csv"
    path.write_text("category id,parent id,name\n2,1,Shirts\n1,,Clothes\n")
    out, _ = run(str(path), "--categories", "--map", "category_id=category id")
    assert "2 created" in out
    assert Category.objects.get(category_id="2").parent.name == "Clothes"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Name one of: a source, --feed NAME, --all."),
        (("x", "--all"), "Name one of"),
        (("--feed", "none"), "acme/se has no feed 'none'. Known: none."),
        (("--all", "--full"), "A stored feed has its own format, mapping and fullness."),
        (("--feed", "x", "--format", "csv"), "A stored feed has its own"),
        (("{source}", "--map", "title"), "--map title: write it like --map title=prod_name"),
        (("{source}", "--map", "titel=title"), "There is no field 'titel' to map"),
        (("{source}", "--map", "title=name"), "The feed has no column 'name'"),
        (("{source}", "--categories", "--full"), "--full is about products"),
        (("no/such/file",), "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_said(source, words, message):
    with pytest.raises(CommandError) as caught:
        run(*(word.format(source=source) for word in words))
    assert message in str(caught.value)
    assert Product.objects.count() == 0


def test_a_market_that_is_not_there():
    with pytest.raises(CommandError, match="acme has no market 'dk'"):
        call_command("reco_import_feed", "acme", "dk", "x")


def test_a_failure_is_json_too(tmp_path):
    out = io.StringIO()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("reco_import_feed", "acme", "se", "none.csv", "--json", stdout=out)
    assert json.loads(out.getvalue())["status"] == "failed"


@pytest.fixture
def stored(market, source, tmp_path) -> list[Feed]:
    shapes = tmp_path / "shapes.csv"
    shapes.write_text("nr,title\n3,Cap\n")
    make = Feed.objects.create
    return [
        make(market=market, name="main", source=source, full=False),
        make(
            market=market,
            name="more",
            source=str(shapes),
            full=False,
            mapping={"product_id": "nr"},
        ),
        make(market=market, name="old", source="none.csv", active=False),
    ]


def test_a_stored_feed(stored):
    run("--feed", "more")
    assert Product.objects.get().title == "Cap"
    assert FeedRun.objects.get().feed == stored[1]


def test_all_stored_feeds_that_are_active(stored):
    out, _ = run("--all")
    assert [line.split(" in ")[0] for line in out.splitlines()] == [
        "acme/se: 2 created, 0 updated, 0 unchanged, 0 rejected, 0 deactivated",
        "acme/se: 1 created, 0 updated, 0 unchanged, 0 rejected, 0 deactivated",
    ]
    out, _ = run("--all", "--json")
    assert [report["unchanged"] for report in json.loads(out)["runs"]] == [2, 1]


def test_one_feed_that_fails_holds_up_no_other(stored):
    Feed.objects.filter(name="main").update(source="none.csv")
    with pytest.raises(CommandError, match=r"^none\.csv: 'none\.csv' cannot be read"):
        run("--all")
    assert Product.objects.count() == 1


def test_progress_is_shown_on_a_terminal(source, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    out, _ = run(source, "--json")
    assert "acme/se" in terminal.getvalue()
    assert "2 rows" in terminal.getvalue()
    assert json.loads(out)["created"] == 2
