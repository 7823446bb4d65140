from __future__ import annotations

import io
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.events import erase as erase_module
from depict_reco.models import Artifact, Erasure, Event
from depict_reco.tasks import train_market
from tests.shop import add_event

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command("reco_erase_shopper", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def anna(shop):
    add_event(shop, "teapot-1", session_id="a1", user_id="anna")
    add_event(shop, "teapot-2", session_id="a1")
    add_event(shop, "teapot-3", session_id="b1")
    return shop


def test_it_says_what_went_and_what_is_still_to_be_done(anna):
    assert run("acme", "anna", "--linked").splitlines() == [
        "Ids: anna, a1",
        f"Erased 2 rows (2 page_view). Receipt {Erasure.objects.get().pk}.",
        "The model learned from these rows, without ids; to make it forget: "
        "manage.py reco_train acme se",
    ]
    assert [event.session_id for event in Event.objects.all()] == ["b1"]


def test_the_receipt_is_json_with_the_ids_for_the_caller_alone(anna):
    answer = json.loads(run("acme", "anna", "--asked-by", "letter of May 3", "--json"))

    assert answer["ids"] == ["anna"]
    assert (answer["asked_by"], answer["channel"]) == ("letter of May 3", "command")
    assert (answer["rows"], answer["state"], answer["markets"]) == (
        {"page_view": 1},
        "done",
        ["se"],
    )
    assert "anna" not in json.dumps(answer["digests"])


def test_a_dry_run_names_ids_and_rows(anna):
    assert run("acme", "a1", "--linked", "--dry-run") == (
        "Ids: a1, anna\nWould erase 2 rows (2 page_view).\n"
    )
    assert json.loads(run("acme", "a1", "--dry-run", "--json")) == {
        "ids": ["a1"],
        "orders": [],
        "rows": {"page_view": 2},
        "markets": ["se"],
        "dry_run": True,
    }
    assert Event.objects.count() == 3


def test_ids_come_from_a_file_or_standard_input(anna, tmp_path, monkeypatch):
    path = tmp_path / "ids"
    path.write_text("anna\n\n b1 \n")
    assert run("acme", "--input", str(path)).startswith("Ids: anna, b1\nErased 2 rows")
    monkeypatch.setattr("sys.stdin", io.StringIO("a1\n"))
    assert run("acme", "--input", "-").startswith("Ids: a1\nErased 1 rows")


def test_what_was_interrupted_is_resumed_without_its_ids(anna, monkeypatch):
    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erase_module, "_delete_some", die)
        with pytest.raises(KeyboardInterrupt):
            run("acme", "a1", "--linked")
    assert "Erased 2 rows" in run("acme", "--resume")
    assert run("acme", "--resume") == "Nothing was left unfinished.\n"
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["acme"], "Name ids, or say --resume."),
        (["acme", "a1", "--resume"], "Name ids, or say --resume."),
        (["acme", "server"], "stands for no one"),
        (["acme", "--input", "/no/such/file"], "/no/such/file: No such file"),
        (["nobody", "a1"], "There is no tenant 'nobody'."),
    ],
)
@pytest.mark.usefixtures("anna")
def test_what_cannot_be_done_is_said(arguments, complaint):
    with pytest.raises(CommandError, match=complaint):
        run(*arguments)
    assert Event.objects.count() == 3


def test_ids_that_are_no_text_are_refused(anna, tmp_path):
    path = tmp_path / "ids"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="is not UTF-8 text"):
        run("acme", "--input", str(path))


def test_the_next_training_forgets_what_the_erased_did(busy_shop, artifact_dir):
    """Only one shopper ever looked at bears together with gloves; then nobody did."""
    for number in range(1, 6):
        for product in ("bear-s", f"glove-{number}"):
            add_event(busy_shop, product, session_id="only-one", user_id="the-one")
    before = Event.objects.exclude(session_id="only-one").count()

    def learned():
        train_market(busy_shop, force=True)
        artifact = Artifact.objects.order_by("-pk").first()
        files = [path for path in (artifact_dir / artifact.path).rglob("*") if path.is_file()]
        content = b"".join(path.read_bytes() for path in files)
        assert b"only-one" not in content  # models know no shopper at all
        assert b"the-one" not in content
        return artifact.manifest["events"], content

    events, _content = learned()
    assert events == before + 10
    run("acme", "the-one", "--linked")

    # until then the served model stays as it is
    assert Artifact.objects.count() == 1
    events, _content = learned()
    assert events == before
    assert Event.objects.count() == before
