from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from depict_reco.artifacts import publish as module
from depict_reco.artifacts import store
from depict_reco.artifacts.current import load, load_current
from depict_reco.artifacts.publish import prune, publish, roll_back, store_model
from depict_reco.exceptions import ArtifactBrokenError, ArtifactError
from depict_reco.models import Artifact, CurrentArtifact, Market
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.signals import artifact_published
from depict_reco.tenants.directory import directory
from depict_reco.training.trainer import train
from tests.artifacts.test_store import flip_a_bit
from tests.serving.asking import answer, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def trained(shop):
    return train(shop)


@pytest.fixture
def versions(shop, trained):
    """Three artifacts, oldest first, the newest of them served."""
    artifacts = [store_model(shop, trained, run=None) for _ in range(3)]
    publish(artifacts[-1])
    return artifacts


def served(market):
    row = CurrentArtifact.objects.filter(market=market).select_related("artifact").first()
    return row.artifact if row else None


def damage(artifact_dir, artifact):
    flip_a_bit(artifact_dir / artifact.path / "content.idf.npy")


# Storing


def test_a_stored_model_is_whole_and_not_served_yet(shop, trained, artifact_dir):
    artifact = store_model(shop, trained, run=None)

    assert served(shop) is None
    assert artifact.path == f"{shop.tenant_id}/{shop.pk}/{artifact.version}"
    loaded = load(artifact)
    assert list(loaded.item_ids) == trained.item_ids
    assert loaded.item_ids[3:5] == trained.item_ids[3:5]
    assert loaded.item_ids[-1] == trained.item_ids[-1]
    assert loaded.model.weights == trained.model.weights
    assert loaded.model.options == trained.model.options
    assert loaded.model.n_items == len(trained.item_ids)
    for name, array in trained.model.arrays().items():
        assert (loaded.model.arrays()[name] == array).all()


def test_the_manifest_tells_what_it_was_made_of(busy_shop):
    trained = train(busy_shop)
    manifest = store_model(busy_shop, trained, run=None).manifest

    assert (manifest["tenant"], manifest["market"]) == ("acme", "se")
    assert manifest["products"] == len(trained.item_ids) == 29
    assert manifest["events"] == trained.n_events
    assert manifest["unknown_products"] == 0
    assert manifest["window"] == [stamp.isoformat() for stamp in trained.window]
    assert manifest["accuracy"]["next"]["questions"] > 0
    assert manifest["model"]["weights"].keys() == {
        "next_items",
        "complements",
        "companions",
        "substitutes",
    }
    assert manifest["depict_reco"]
    assert manifest["format"] == 3


def test_odd_product_ids_survive(shop, trained):
    ids = ["", "å/ä\\ö", "🐻", "\u2028", *trained.item_ids[4:]]

    loaded = load(store_model(shop, replace(trained, item_ids=ids), run=None))

    assert list(loaded.item_ids) == ids


def test_files_are_removed_when_the_row_cannot_be_written(shop, trained, monkeypatch):
    def failing(**fields):
        raise RuntimeError("no row")

    monkeypatch.setattr(module.Artifact.objects, "create", failing)
    with pytest.raises(RuntimeError, match="no row"):
        store_model(shop, trained, run=None)

    assert store.paths_under(f"{shop.tenant_id}/{shop.pk}") == []


# Publishing


def test_publishing_moves_the_pointer_and_the_revision(shop, versions):
    before = Market.objects.get().artifact_revision

    publish(versions[0])

    assert served(shop) == versions[0]
    assert Market.objects.get().artifact_revision == before + 1


def test_publishing_is_announced_after_commit(shop, versions, django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, artifact, **kwargs):
        heard.append((sender, artifact))

    artifact_published.connect(listen)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        publish(versions[0])
        assert heard == []
    artifact_published.disconnect(listen)

    assert len(callbacks) == 1
    assert heard == [(Artifact, versions[0])]


def test_a_broken_artifact_is_not_published(shop, versions, artifact_dir):
    damage(artifact_dir, versions[0])
    before = Market.objects.get().artifact_revision

    with pytest.raises(ArtifactBrokenError, match="idf"):
        publish(versions[0])

    assert served(shop) == versions[2]
    assert Market.objects.get().artifact_revision == before


def test_publishing_is_all_or_nothing(shop, versions, monkeypatch):
    def failing(**kwargs):
        raise RuntimeError("killed here")

    monkeypatch.setattr(module.CurrentArtifact.objects, "update_or_create", failing)
    before = Market.objects.get().artifact_revision
    with pytest.raises(RuntimeError):
        publish(versions[0])

    assert Market.objects.get().artifact_revision == before
    assert served(shop) == versions[2]


def test_what_was_cleared_out_meanwhile_is_not_published(shop, versions, monkeypatch):
    # cleared out by another process after its files were found to be whole
    monkeypatch.setattr(
        store, "verify", lambda path: Artifact.objects.filter(pk=versions[0].pk).delete()
    )

    with pytest.raises(ArtifactError, match="cleared out"):
        publish(versions[0])
    assert served(shop) == versions[2]


# Rolling back


def test_rolling_back_goes_one_version_back_at_a_time(shop, versions):
    assert roll_back(shop) == versions[1] == served(shop)
    assert roll_back(shop) == versions[0] == served(shop)
    with pytest.raises(ArtifactError, match="acme/se has no older artifact to go back to"):
        roll_back(shop)
    assert served(shop) == versions[0]


def test_rolling_back_to_a_named_version(shop, versions):
    assert roll_back(shop, version=versions[0].version) == served(shop) == versions[0]
    assert roll_back(shop, version=versions[2].version) == served(shop) == versions[2]


def test_an_unknown_version_is_refused_with_the_known_ones(shop, versions):
    with pytest.raises(ArtifactError, match=f"no artifact 'nope'; kept are: {versions[2].version}"):
        roll_back(shop, version="nope")


def test_a_version_of_another_market_is_unknown(shop, versions):
    other = Market.objects.create(
        tenant=shop.tenant, slug="us", currency="USD", default_locale="en"
    )

    with pytest.raises(ArtifactError, match="kept are: none"):
        roll_back(other, version=versions[0].version)


def test_nothing_to_go_back_to_without_any_artifact(shop):
    with pytest.raises(ArtifactError, match="no older artifact"):
        roll_back(shop)


# Clearing out


def test_the_newest_and_the_served_version_are_kept(shop, trained, versions, settings):
    settings.DEPICT_RECO |= {"ARTIFACT_VERSIONS_KEPT": 2}
    publish(versions[0])

    assert prune(shop) == 0
    newest = store_model(shop, trained, run=None)
    assert prune(shop) == 1

    kept = [versions[0], versions[2], newest]
    assert list(Artifact.objects.order_by("pk")) == kept
    assert store.paths_under(f"{shop.tenant_id}/{shop.pk}") == sorted(row.path for row in kept)
    assert served(shop) == versions[0]


@pytest.mark.parametrize("number", [0, 1])
def test_at_least_one_version_is_kept(shop, versions, settings, number):
    settings.DEPICT_RECO |= {"ARTIFACT_VERSIONS_KEPT": number}

    assert prune(shop) == 2
    assert list(Artifact.objects.all()) == [versions[2]]


def test_folders_that_nobody_knows_go_when_they_are_old(shop, versions):
    folder = f"{shop.tenant_id}/{shop.pk}"
    old = timezone.now() - timedelta(days=2)
    orphan = f"{folder}/{old:%Y%m%dT%H%M%SZ}-abcdef"
    at_work = f"{folder}/{timezone.now():%Y%m%dT%H%M%SZ}-abcdef"
    foreign = f"{folder}/notes"
    for path in (orphan, at_work, foreign):
        store.write(path, {}, {})

    assert prune(shop) == 1

    left = store.paths_under(folder)
    assert orphan not in left
    assert {at_work, foreign, *(row.path for row in versions)} == set(left)


def test_other_markets_are_left_alone(shop, versions, settings):
    settings.DEPICT_RECO |= {"ARTIFACT_VERSIONS_KEPT": 1}
    other = Market.objects.create(
        tenant=shop.tenant, slug="us", currency="USD", default_locale="en"
    )

    assert prune(other) == 0
    assert Artifact.objects.count() == 3


# What a process loads


def test_without_a_published_artifact_there_is_none(shop, trained):
    store_model(shop, trained, run=None)

    assert load_current(shop.pk, known=None) is None


def test_what_is_loaded_already_is_not_loaded_again(shop, versions, django_assert_num_queries):
    first = load_current(shop.pk, known=None)
    with django_assert_num_queries(1):
        assert load_current(shop.pk, known=first) is first
    assert first.version == versions[2].version


def test_a_running_process_stays_with_the_last_good_one(shop, versions, artifact_dir):
    publish(versions[1])
    known = load_current(shop.pk, known=None)
    publish(versions[2])
    damage(artifact_dir, versions[2])

    stays = load_current(shop.pk, known=known)

    assert (stays.version, stays.degraded) == (versions[1].version, True)


def copied(settings):
    """Return the versions that this machine has copies of."""
    manifests = Path(settings.DEPICT_RECO["ARTIFACT_CACHE_DIR"]).glob("*/*/*/manifest.json")
    return {file.parent.name for file in manifests}


def test_copies_are_kept_of_the_served_version_and_the_one_before(shop, versions, settings):
    names = [artifact.version for artifact in versions]
    known = None
    for served, expected in ((0, {0}), (1, {0, 1}), (2, {1, 2}), (1, {1})):
        publish(versions[served])
        known = load_current(shop.pk, known=known)
        assert known.version == names[served]
        assert copied(settings) == {names[at] for at in expected}


@pytest.mark.parametrize("days", [6, 8])
def test_copies_of_markets_that_are_no_more_are_removed_in_a_while(shop, versions, settings, days):
    top = Path(settings.DEPICT_RECO["ARTIFACT_CACHE_DIR"])
    own = top / f"{shop.tenant_id}/{shop.pk}"
    gone = top / f"{shop.tenant_id}/987654"
    for folder in (own, gone, top / "catalogues-1/2"):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder, (time.time() - days * 86_400,) * 2)

    load_current(shop.pk, known=None)

    assert gone.exists() is (days == 6)
    assert own.exists()
    assert (top / "catalogues-1/2").exists()


@pytest.mark.parametrize("remains", [1, 0])
def test_a_new_process_takes_the_newest_older_one_that_is_whole(
    shop, versions, artifact_dir, remains
):
    for artifact in versions[remains + 1 :]:
        damage(artifact_dir, artifact)

    loaded = load_current(shop.pk, known=None)

    assert (loaded.version, loaded.degraded) == (versions[remains].version, True)


def test_a_newer_version_never_stands_in_for_one_that_was_chosen(shop, versions, artifact_dir):
    publish(versions[0])
    damage(artifact_dir, versions[0])

    assert load_current(shop.pk, known=None) is None


def test_when_all_are_broken_the_shop_is_answered_without_a_model(trained_shop, artifact_dir):
    shutil.rmtree(artifact_dir)

    found = answer("cross_sell", "teapot-1", limit=5)

    assert len(found.product_ids) == 5
    assert "complements" not in found.sources


def test_serving_goes_on_with_the_last_good_one(trained_shop, artifact_dir):
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]
    publish(second := store_model(trained_shop, train(trained_shop), run=None))
    shutil.rmtree(artifact_dir / second.path)

    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]
    assert snapshot_book().get(directory().tenant("acme").markets["se"]).artifact.degraded

    snapshot_book.cache_clear()  # a new process
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


def test_a_model_of_another_version_of_this_code_is_refused(shop, versions):
    for change in ({"model": {}}, {"model": {"n_items": 1, "weights": {"x": []}, "options": {}}}):
        path = f"other/{len(change['model'])}"
        store.write(path, {}, change)
        with pytest.raises(ArtifactBrokenError, match=r"written by another version .*train again"):
            load(Artifact(market=shop, version="x", path=path))
