from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from depict_reco.artifacts import store
from depict_reco.exceptions import ArtifactBrokenError
from depict_reco.models import Artifact, CurrentArtifact, Market
from tests.admin.conftest import act, confirm, messages_of

LIST = "/admin/depict_reco/artifact/"


@pytest.fixture
def newer(shop, monkeypatch):
    """A second version; its files are taken for good."""
    monkeypatch.setattr(store, "verify", lambda path: None)
    return Artifact.objects.create(market=shop.market, version="v2", path="acme/v2")


def served() -> str:
    return CurrentArtifact.objects.get().artifact.version


def test_page_shows_what_was_measured(admin_client, shop):
    page = admin_client.get(f"{LIST}{shop.artifact.pk}/change/").text
    assert '<th scope="row">hr@20</th><td>0.4545</td>' in page
    listed = admin_client.get(LIST).text
    assert "next 45.5%" in listed
    assert "since" in listed


def test_odd_manifests_are_shown(admin_client, shop):
    for manifest in ({}, {"accuracy": {"next": 1}}, {"accuracy": None, "files": None}):
        Artifact.objects.update(manifest=manifest)
        assert admin_client.get(LIST).status_code == 200
        assert admin_client.get(f"{LIST}{shop.artifact.pk}/change/").status_code == 200


def test_publishing_asks_first(admin_client, shop, newer):
    page = act(admin_client, "artifact", "publish", newer.pk)
    assert "Publish this version?" in page.text
    assert "acme/se is answered from v1 now; it is kept." in page.text
    assert served() == "v1"


def test_publish_and_roll_back(admin_client, shop, newer):
    revision = Market.objects.get().artifact_revision
    response = confirm(admin_client, "artifact", "publish", newer.pk)
    assert messages_of(response) == ["acme/se is answered from version v2 now."]
    assert served() == "v2"
    assert Market.objects.get().artifact_revision > revision
    assert LogEntry.objects.get().change_message == "Published."
    assert (
        "Roll back to this version?"
        in act(admin_client, "artifact", "publish", shop.artifact.pk).text
    )
    confirm(admin_client, "artifact", "publish", shop.artifact.pk)
    assert served() == "v1"


def test_first_version_of_a_market_is_published(admin_client, shop, newer):
    CurrentArtifact.objects.all().delete()
    confirm(admin_client, "artifact", "publish", newer.pk)
    assert served() == "v2"


def test_broken_version_is_refused_and_the_old_one_stays(admin_client, shop, newer, monkeypatch):
    def broken(path):
        raise ArtifactBrokenError("item_ids.npy was altered.")

    monkeypatch.setattr(store, "verify", broken)
    response = confirm(admin_client, "artifact", "publish", newer.pk)
    assert messages_of(response) == ["item_ids.npy was altered."]
    assert served() == "v1"
    assert not LogEntry.objects.exists()


def test_exactly_one_version_and_not_the_served_one(admin_client, shop, newer):
    both = confirm(admin_client, "artifact", "publish", newer.pk, shop.artifact.pk)
    assert messages_of(both) == ["Choose exactly one version."]
    same = confirm(admin_client, "artifact", "publish", shop.artifact.pk)
    assert messages_of(same)[-1] == "This version is served already."
    assert served() == "v1"


def test_publishing_needs_its_right(staff, shop, newer):
    client = staff("view_artifact", "change_artifact", "train_model")
    url = f"{LIST}{newer.pk}/change/"
    assert "Serve this version" not in client.get(url).text
    confirm(client, "artifact", "publish", newer.pk)
    assert served() == "v1"
    allowed = staff("view_artifact", "publish_artifact")
    assert "Serve this version" in allowed.get(url).text
    confirm(allowed, "artifact", "publish", newer.pk)
    assert served() == "v2"


def test_served_version_offers_no_button(admin_client, shop, newer):
    assert (
        ">Serve this version</button>"
        not in admin_client.get(f"{LIST}{shop.artifact.pk}/change/").text
    )
