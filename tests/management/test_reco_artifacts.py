from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.artifacts import store
from depict_reco.models import Artifact, CurrentArtifact, Market
from depict_reco.tasks import train_market

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command("reco_artifacts", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def versions(shop):
    """The versions of two artifacts, oldest first; the newer one is served."""
    for _ in range(2):
        train_market(shop)
    return list(Artifact.objects.order_by("pk").values_list("version", flat=True))


def served():
    return CurrentArtifact.objects.get().artifact.version


def test_the_list_is_newest_first_and_marks_what_is_served(versions):
    old, new = versions

    assert run("list", "acme").splitlines() == [
        f"* se           {new}  29 products, 0 events  whole",
        f"  se           {old}  29 products, 0 events  whole",
    ]


def test_the_list_says_what_is_broken(versions):
    old, _ = versions
    store.storage().delete(f"{Artifact.objects.get(version=old).path}/content.idf.npy")

    first, second = run("list", "acme", "se").splitlines()

    assert first.endswith("whole")
    assert "broken: " in second
    assert "content.idf.npy cannot be read" in second


def test_the_list_is_json_on_request(versions):
    old, new = versions
    rows = json.loads(run("list", "acme", "--json"))

    assert [(row["version"], row["current"], row["state"]) for row in rows] == [
        (new, True, "whole"),
        (old, False, "whole"),
    ]
    assert rows[0]["market"] == "se"
    assert (rows[0]["products"], rows[0]["events"], rows[0]["accuracy"]) == (29, 0, {})
    assert rows[0]["created_at"] == Artifact.objects.first().created_at.isoformat()


def test_an_empty_list_says_what_to_do(shop):
    assert run("list", "acme") == "Nothing is trained yet: reco_train acme\n"
    assert json.loads(run("list", "acme", "--json")) == []


def test_the_list_can_be_of_one_market(versions, shop):
    Market.objects.create(tenant=shop.tenant, slug="us", currency="USD", default_locale="en")

    assert json.loads(run("list", "acme", "us", "--json")) == []
    assert len(json.loads(run("list", "acme", "--json"))) == 2


def test_rolling_back_serves_the_version_before(versions):
    old, new = versions

    assert run("rollback", "acme", "se") == f"acme/se is served from {old} now.\n"
    assert served() == old
    row = json.loads(run("rollback", "acme", "se", "--to", new, "--json"))
    assert (row["version"], row["current"], served()) == (new, True, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollback", "acme", "se", "--to", "nope"], "acme/se has no artifact 'nope'; kept are: "),
        (["rollback", "acme", "nope"], "acme has no market 'nope'"),
        (["list", "nope"], "There is no tenant 'nope'"),
        (["rollback", "acme"], "arguments are required: market"),
        (["rename", "acme"], "invalid choice: 'rename'"),
        ([], "arguments are required: ACTION"),
    ],
)
def test_what_cannot_be_is_refused(versions, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
    assert served() == versions[1]


def test_there_may_be_nothing_older(shop):
    train_market(shop)

    with pytest.raises(CommandError, match="no older artifact to go back to"):
        run("rollback", "acme", "se")


def test_a_broken_version_is_not_served(versions):
    old, new = versions
    store.storage().delete(f"{Artifact.objects.get(version=old).path}/manifest.json")

    with pytest.raises(CommandError, match=r"manifest\.json cannot be read"):
        run("rollback", "acme", "se")
    assert served() == new
