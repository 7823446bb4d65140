from __future__ import annotations

import gzip
import io
import json
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from depict_reco.models import Event, Market, Tenant

pytestmark = pytest.mark.django_db

CONTENT = """\
user,item,time,type,country
1,a,2011-05-01,view,SE
2,b,never,view,SE
3,c,2011-05-01,view,NO
"""


@pytest.fixture(autouse=True)
def market() -> Market:
    tenant = Tenant.objects.create(slug="acme", name="Acme")
    return Market.objects.create(tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(CONTENT)
    return path


def run(*arguments: object) -> tuple[str, str]:
    out, errors = io.StringIO(), io.StringIO()
    call_command(
        "reco_import_events", "acme", "se", *map(str, arguments), stdout=out, stderr=errors
    )
    return out.getvalue(), errors.getvalue()


def test_a_summary_for_people(path):
    out, errors = run(path)
    assert out == (
        "3 rows: 2 events stored, 1 rejected. Among the events are 2 of unknown products.\n"
    )
    assert errors == ("Line 3: timestamp 'never' is neither an ISO 8601 time nor epoch seconds\n")
    out, _ = run(path, "--dry-run")
    assert out.startswith("3 rows: 0 events would be stored, 2 duplicates, 1 rejected.")


def test_one_object_for_programs(path):
    out, errors = run(path, "--json", "--filter", "country=SE")
    result = json.loads(out)
    assert {name: result[name] for name in ("rows", "stored", "filtered", "rejected")} == {
        "rows": 3, "stored": 1, "filtered": 1, "rejected": 1,
    }  # fmt: skip
    assert result["rejections"] == [
        {
            "line": 3,
            "field": "timestamp",
            "reason": "'never' is neither an ISO 8601 time nor epoch seconds",
        }
    ]
    assert (result["error"], result["dry_run"], errors) == ("", False, "")


def test_options_reach_the_import(tmp_path):
    path = tmp_path / "events.txt"
    path.write_text("who;what;when;country\n1;a;1/5/2011 10:00;SE\n2;b;1/5/2011 10:00;NO\n")
    run(
        path, "--format=csv", "--map", "user_id=who", "--map", "product_id=what",
        "--map", "timestamp=when", "--filter=country=SE", "--filter=country=NO",
        "--type=add_to_cart", "--time-zone=Europe/Stockholm", "--time-format=%d/%m/%Y %H:%M",
    )  # fmt: skip
    events = Event.objects.order_by("pk")
    assert [(e.user_id, e.product_id, e.type, e.time.isoformat()) for e in events] == [
        ("1", "a", "add_to_cart", "2011-05-01T08:00:00+00:00"),
        ("2", "b", "add_to_cart", "2011-05-01T08:00:00+00:00"),
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(monkeypatch, pack):
    stdin = SimpleNamespace(buffer=io.BytesIO(pack(CONTENT.encode())))
    monkeypatch.setattr("sys.stdin", stdin)
    assert run("-")[0].startswith("3 rows: 2 events stored")


def test_every_row_rejected_is_a_failure(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item,time\n" + "1,a,12/1/2010 8:26\n" * 7)
    out, errors = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="Every row was rejected"):
        call_command("reco_import_events", "acme", "se", str(path), stdout=out, stderr=errors)
    assert out.getvalue().startswith("7 rows: 0 events stored, 7 rejected.")
    assert "--time-format" in errors.getvalue()
    assert errors.getvalue().endswith("... and 2 more rejected rows.\n")


def test_a_file_that_breaks_off_is_a_failure_that_says_what_was_stored(tmp_path):
    path = tmp_path / "events.csv.gz"
    lines = "".join(f"1,p{i},{1300000000 + i * i}\n" for i in range(5000))
    path.write_bytes(gzip.compress(f"user,item,time\n{lines}".encode())[:-2000])
    out = io.StringIO()
    with pytest.raises(CommandError, match="breaks off"):
        call_command("reco_import_events", "acme", "se", str(path), "--json", stdout=out)
    result = json.loads(out.getvalue())
    assert result["stored"] == Event.objects.count() > 0
    assert "breaks off" in result["error"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nothing.csv"], "cannot be read: No such file"),
        (["{path}", "--map", "colour=item"], "no field colour"),
        (["{path}", "--map", "sku=code"], "no column 'code'"),
        (["{path}", "--map", "sku"], "not of the form name=value"),
        (["{path}", "--filter", "=x"], "not of the form name=value"),
        (["{path}", "--type", "dance"], "invalid choice"),
        (["{path}", "--time-zone", "Mars/Base"], "no time zone such as"),
        (["{path}", "--time-zone", "../etc"], "no time zone such as"),
    ],
)
def test_mistakes_are_named(path, arguments, reason):
    with pytest.raises(CommandError, match=reason):
        run(*(word.format(path=path) for word in arguments))
    assert not Event.objects.exists()


def test_unknown_markets_are_named(path):
    with pytest.raises(CommandError, match=r"acme has no market 'no'. Known: se"):
        call_command("reco_import_events", "acme", "no", str(path))
