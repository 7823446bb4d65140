"""The image of a catalogue: shared, made anew where it is missing or broken, kept fresh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from django.db import OperationalError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.artifacts.copies import UNFINISHED, cache_dir
from depict_reco.artifacts.current import ItemIds
from depict_reco.models import Category, Market, Product
from depict_reco.serving import image_files, mapped, refresh, snapshots
from depict_reco.serving.background import Background
from depict_reco.serving.columns import Columns
from depict_reco.serving.pairing import in_common
from depict_reco.serving.snapshots import snapshot_book
from depict_reco.tenants.directory import directory
from tests import shop as shops
from tests.conftest import wait_for
from tests.serving.asking import ask, displays

pytestmark = pytest.mark.django_db


def entry():
    return directory().tenant("acme").markets["se"]


def files():
    """Return the images that lie on this machine."""
    return sorted(cache_dir().glob("catalogues-*/*/*.catalogue2"))


def restart():
    """Forget what this process knows, as another process would not know it."""
    for cache in (directory, snapshot_book):
        cache.cache_clear()


def finish():
    """Wait for images that are made in the background."""
    for thread in threading.enumerate():
        if thread.name.startswith("depict_reco catalogue-"):
            thread.join(20)


def told(columns: Columns) -> dict[str, object]:
    """Return all that a catalogue says, without its own numbers."""
    groups = {code: group for group, code in columns.codes_by_group().items()}
    said: dict[str, object] = {}
    for code, group in groups.items():
        rows = list(columns.rows_of(code))
        if not rows:
            continue
        shown = int(columns.shown[code])
        said[group] = (
            [columns.row(at) for at in rows],
            [columns.pk(at) for at in rows],
            [columns.code(at) == code for at in rows],
            columns.row(shown).product_id if shown >= 0 else None,
            bool(columns.eligible[code]),
            None if np.isnan(columns.prices[code]) else float(columns.prices[code]),
            float(columns.first_seen[code]),
            columns.categories_of(code),
        )
    names = {*groups.values(), *Product.objects.values_list("product_id", flat=True)}
    names |= {*Product.objects.values_list("sku", flat=True), "sku-lost", "nobody"}
    for name in names:
        if (code := columns.code_of(name)) is not None:
            said[f"name {name}"] = groups[code]
    for pk in Category.objects.values_list("pk", flat=True):
        found = {groups[code] for code in columns.codes_in(pk).tolist()}
        said[f"category {pk}"] = {group for group in found if group in said}
    return said


def fresh() -> Columns:
    """Return the catalogue as it is read from the database alone."""
    pieces = refresh.CatalogueImage.lay_out(
        (
            (row, row.to_record(), refresh.render_flat(row, entry(), "sv-SE"))
            for row in refresh.read_rows(entry().pk)
        ),
        revision=1,
        deletion_revision=1,
        rendering="",
        tree=refresh.CategoryTree.read(entry().pk),
    )
    return Columns.of(refresh.CatalogueImage.in_memory(pieces))


# Sharing


def test_the_image_is_made_once_and_mapped_by_others(shop):
    found = ask("popular", limit=128)
    assert len(files()) == 1

    restart()
    with mock.patch.object(refresh, "read_rows", side_effect=AssertionError("read again")):
        assert ask("popular", limit=128) == found


def test_a_process_that_starts_reads_only_what_came_after_the_image(shop):
    ask("popular")
    Product.objects.filter(product_id="spade-1").change(price="7")
    Product.objects.filter(product_id="spade-2").delete()
    shops.add_product(shop, "new")

    restart()
    with mock.patch.object(refresh, "_read", side_effect=AssertionError("all of it")):
        found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}

    assert found["spade-1"] == "7.00"
    assert "spade-2" not in found
    assert "new" in found


def test_each_database_has_images_of_its_own(shop):
    """Another database may have a market with the same key and the same revision."""
    ask("popular")
    Market.objects.filter(pk=shop.pk).update(catalog_id="0" * 32)
    Product.objects.filter(product_id="spade-1").update(title="Of another shop")

    restart()

    assert "Of another shop" in {d["title"] for d in displays("popular", limit=128)}


def price_of_spade_1():
    return {d["product_id"]: d["price"] for d in displays("popular", limit=128)}["spade-1"]


@pytest.mark.parametrize("writable", [True, False])
def test_a_database_that_was_turned_back_is_not_answered_from_later_images(shop, writable):
    """Nor when its counter has passed the number of such an image again."""
    Product.objects.filter(product_id="spade-1").change(price="100")
    restored = Market.objects.get(pk=shop.pk).catalog_revision
    Product.objects.filter(product_id="spade-1").change(price="999")
    no_file = mock.patch.object(mapped, "write", side_effect=OSError("no space left"))
    with nullcontext() if writable else no_file:
        assert price_of_spade_1() == "999.00"

        Market.objects.filter(pk=shop.pk).update(catalog_revision=restored)
        Product.objects.filter(product_id="spade-1").update(price="100", revision=restored)
        restart()
        assert price_of_spade_1() == "100.00"

        for price in ("7", "8"):  # the first change has the number of the image
            Product.objects.filter(product_id="spade-2").change(price=price)
            assert price_of_spade_1() == "100.00"
        restart()
        assert price_of_spade_1() == "100.00"


def test_an_image_of_a_process_that_looked_later_is_used_and_stays(shop):
    behind = entry()
    Product.objects.filter(product_id="spade-1").change(price="7")
    refresh.opened(entry())
    (path,) = files()

    with mock.patch.object(refresh, "read_rows", side_effect=AssertionError("read again")):
        columns = refresh.opened(behind)

    assert columns.image.revision == behind.catalog_revision + 1
    assert files() == [path]


# Files that are not as they should be


@pytest.mark.parametrize("harm", ["cut", "empty", "flipped", "not ours", "gone"])
def test_a_broken_file_is_made_anew(shop, harm):
    found = displays("popular", limit=128)
    (path,) = files()
    whole = path.read_bytes()
    content = bytearray(whole)
    if harm == "cut":
        path.write_bytes(content[:-100])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "not ours":
        path.write_bytes(b"something else")
    else:
        path.unlink()

    restart()
    again = displays("popular", limit=128)

    assert [d["title"] for d in again] == [d["title"] for d in found]
    assert [one.read_bytes() for one in files()] == [whole]


def test_what_a_killed_process_left_behind_is_cleared_away(shop):
    ask("popular")
    (path,) = files()
    left_over = path.with_name(f"{UNFINISHED}half")
    left_over.write_bytes(b"half a file")
    path.unlink()

    restart()
    ask("popular")

    assert not left_over.exists()
    assert len(files()) == 1


@pytest.mark.parametrize(("days", "there"), [(6, True), (8, False)])
def test_images_of_markets_that_are_no_more_are_cleared_away(shop, days, there):
    ask("popular")
    (path,) = files()
    (gone := path.parents[1] / ("0" * 32)).mkdir()
    for folder in (gone, path.parent):
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    Product.objects.filter(product_id="bear-s").change(price="5")
    path.unlink()
    os.utime(path.parent, (time.time() - days * 86_400,) * 2)

    restart()
    ask("popular")

    assert gone.exists() is there
    assert len(files()) == 1


def test_without_a_place_for_files_each_process_keeps_its_own(shop):
    with mock.patch.object(mapped, "write", side_effect=OSError("no space left")):
        found = ask("popular", limit=128)
        Product.objects.filter(product_id=found[0]).change(hidden=True)
        assert ask("popular", limit=128) == found[1:]
    assert files() == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
def test_a_folder_that_others_can_write_to_is_not_trusted(shop):
    ask("popular")
    (path,) = files()
    path.parent.parent.chmod(0o777)

    restart()
    with (
        mock.patch.object(refresh, "read_rows", side_effect=InterruptedError("read")),
        pytest.raises(InterruptedError),
    ):
        ask("popular")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
def test_nobody_else_can_look_into_the_folder(shop):
    ask("popular")
    (path,) = files()

    assert path.parent.parent.stat().st_mode & 0o077 == 0


def test_the_lock_ends_with_the_process_that_holds_it(shop):
    ask("popular")
    lock = files()[0].with_name("lock")
    script = (
        "import sys, time; from django.core.files import locks;"
        "file = open(sys.argv[1], 'ab'); locks.lock(file, locks.LOCK_EX);"
        "print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with image_files.making(entry(), wait=False) as held:
            assert not held
    finally:
        holder.kill()
        holder.wait()
    with image_files.making(entry(), wait=False) as held:
        assert held


# Many changes


@pytest.fixture
def aside(monkeypatch):
    """Let four changes be too many to be kept aside, as soon as nothing changes any more."""
    monkeypatch.setattr(refresh, "FEWEST_CHANGES", 3)
    monkeypatch.setattr(refresh, "CALM_SECONDS", 0.0)


@pytest.mark.usefixtures("aside")
def test_many_changes_make_a_new_image_in_the_background(shop):
    ask("popular")
    Product.objects.filter(product_id__startswith="spade").change(price="7")
    found = displays("popular", limit=128)
    finish()

    (path,) = files()
    image = image_files.CatalogueImage.of(mapped.read(path))
    assert image.revision == entry().catalog_revision
    assert Columns.of(image).n_changes == 0
    assert told(Columns.of(image)) == told(fresh())

    Product.objects.filter(product_id="bear-s").change(price="3")
    again = displays("popular", limit=128)
    assert snapshot_book().get(entry()).columns.image.revision == image.revision
    assert snapshot_book().get(entry()).columns.n_changes == 1
    assert [d["product_id"] for d in again] == [d["product_id"] for d in found]


@pytest.fixture
def few(monkeypatch):
    """Let three changes count as too many to be kept aside."""
    monkeypatch.setattr(refresh, "MOST_READ", 3)
    monkeypatch.setattr(refresh, "MOST_READ_SHARE", 0.01)


def test_so_many_changes_that_a_new_image_is_read(shop, few):
    ask("popular")
    Product.objects.filter(product_id__in=["spade-1", "spade-2", "spade-3"]).change(price="6")
    ask("popular")
    assert snapshot_book().get(entry()).columns.n_changes == 3

    Product.objects.filter(product_id__in=["spade-1", "spade-2"]).change(price="7")
    Product.objects.filter(product_id__in=["spade-3", "spade-4"]).change(price="7")
    Product.objects.filter(product_id="spade-5").delete()
    with mock.patch.object(refresh, "with_changes", side_effect=AssertionError("kept aside")):
        found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}

    assert [found.get(f"spade-{number}") for number in range(1, 6)] == ["7.00"] * 4 + [None]
    columns = snapshot_book().get(entry()).columns
    assert (columns.n_changes, columns.image.revision) == (0, entry().catalog_revision)
    assert told(columns) == told(fresh())
    assert len(files()) == 1


def test_one_process_reads_the_image_and_the_others_map_it(shop, few):
    ask("popular")
    first = snapshot_book()
    Product.objects.filter(product_id__startswith="spade").change(price="7")
    displays("popular")

    snapshot_book.cache_clear()
    with mock.patch.object(refresh, "_read", side_effect=AssertionError("read again")):
        assert snapshot_book().get(entry()).columns.n_changes == 0
        other = snapshots.SnapshotBook()
        other._snapshots[shop.pk] = replace(
            first.get(entry()), market=replace(entry(), catalog_revision=1)
        )
        other._artifact_revisions[shop.pk] = 0
        assert other.get(entry()).columns.n_changes == 0


def test_a_process_that_starts_after_many_changes_reads_a_new_image(shop, few):
    ask("popular")
    Product.objects.filter(product_id__startswith="spade").change(price="7")

    restart()
    with mock.patch.object(refresh, "with_changes", side_effect=AssertionError("kept aside")):
        found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}

    assert found["spade-1"] == "7.00"


def test_nobody_waits_for_an_image(shop, few, monkeypatch, settings):
    settings.DEPICT_RECO |= {"REFRESH_SECONDS": 0.0}
    monkeypatch.setattr(snapshots, "Background", Background)
    old = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}
    Product.objects.filter(product_id__startswith="spade").change(price="7")
    wanted = entry()
    columns = fresh()
    go_on = threading.Event()

    def slowly(*_):
        assert go_on.wait(30)
        return columns

    with (
        mock.patch.object(snapshots, "opened_anew", slowly),
        mock.patch.object(snapshots, "overlaid", lambda columns, _pk, *, since: (columns, set())),
    ):
        for _ in range(3):
            found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}
            assert found == old
        go_on.set()
        wait_for(lambda: snapshot_book().get(wanted).columns is columns)
    assert {d["price"] for d in displays("popular", limit=128) if "spade" in d["product_id"]} == {
        "7.00"
    }


@pytest.mark.parametrize("error", [OperationalError("gone"), MemoryError()], ids=repr)
@pytest.mark.parametrize("place", ["opened_anew", "overlaid"])
def test_an_image_that_cannot_be_made_leaves_the_old_state(shop, few, settings, error, place):
    settings.DEPICT_RECO |= {"RETRY_SECONDS": 0.001}
    old = displays("popular", limit=128)
    Product.objects.filter(product_id__startswith="spade").change(title="Shovel")
    with mock.patch.object(snapshots, place, side_effect=error):
        assert [d["title"] for d in displays("popular", limit=128)] == [d["title"] for d in old]
    time.sleep(0.01)

    found = {d["product_id"]: d["title"] for d in displays("popular", limit=128)}
    assert found["spade-1"] == "Shovel"


def test_before_an_image_is_there_prices_and_what_may_be_shown_are_right(shop, few, settings):
    settings.DEPICT_RECO |= {"RETRY_SECONDS": 3600.0}
    old = {d["product_id"]: d for d in displays("popular", limit=128)}
    spades = Product.objects.filter(product_id__startswith="spade")
    spades.change(price="7.25", sale_price=None, title="Shovel")
    spades.filter(product_id="spade-2").change(in_stock=False)
    spades.filter(product_id="spade-3").change(hidden=True)
    spades.filter(product_id="spade-4").change(active=False)
    with mock.patch.object(snapshots, "opened_anew", side_effect=MemoryError()):
        found = {d["product_id"]: d for d in displays("popular", limit=128)}

    assert old.keys() - found.keys() == {"spade-2", "spade-3", "spade-4"}
    assert found["spade-1"]["price"] == "7.25"
    assert found["spade-1"]["title"] == old["spade-1"]["title"] != "Shovel"
    assert found["teapot-1"]["price"] == old["teapot-1"]["price"]

    Product.objects.filter(product_id="teapot-1").change(price="8")
    Product.objects.filter(product_id="spade-2").change(in_stock=True)
    found = {d["product_id"]: d for d in displays("popular", limit=128)}
    assert (found["teapot-1"]["price"], found["spade-2"]["price"]) == ("8.00", "7.25")
    Product.objects.filter(product_id="spade-2").change(in_stock=False)
    with mock.patch.object(snapshots, "overlaid", side_effect=OperationalError("gone")):
        assert "spade-2" in {d["product_id"] for d in displays("popular", limit=128)}
    assert "spade-2" not in {d["product_id"] for d in displays("popular", limit=128)}


@pytest.mark.usefixtures("aside")
def test_many_changes_are_laid_out_where_no_file_can_be_written(shop):
    with mock.patch.object(mapped, "write", side_effect=OSError("no space left")):
        ask("popular")
        Product.objects.filter(product_id__startswith="spade").change(price="7")
        ask("popular")
        finish()
        Product.objects.filter(product_id="bear-s").change(price="3")
        found = {d["product_id"]: d["price"] for d in displays("popular", limit=128)}

    assert snapshot_book().get(entry()).columns.n_changes == 1
    assert (found["bear-s"], found["spade-1"]) == ("3.00", "7.00")
    assert files() == []


@pytest.mark.usefixtures("aside")
def test_while_changes_come_an_image_is_waited_for(shop, monkeypatch):
    monkeypatch.setattr(refresh, "CALM_SECONDS", 3600.0)
    monkeypatch.setattr(refresh, "MOST_ASIDE_SHARE", 0.9)
    ask("popular")
    (before,) = files()
    for price in range(2):
        Product.objects.filter(product_id__startswith="spade").change(price=price)
        ask("popular")
    time.sleep(0.3)
    assert files() == [before]
    monkeypatch.setattr(refresh, "CALM_SECONDS", 0.0)
    finish()

    (path,) = files()
    assert image_files.CatalogueImage.of(mapped.read(path)).revision == entry().catalog_revision
    assert told(snapshot_book().get(entry()).columns) == told(fresh())


@pytest.mark.usefixtures("aside")
def test_too_much_kept_aside_is_laid_out_while_changes_come(shop, monkeypatch):
    monkeypatch.setattr(refresh, "CALM_SECONDS", 3600.0)
    monkeypatch.setattr(refresh, "MOST_ASIDE_SHARE", 0.01)
    ask("popular")
    (before,) = files()
    Product.objects.filter(product_id__startswith="spade").change(price="7")
    ask("popular")
    finish()

    assert files() != [before]


def test_few_changes_make_no_new_image(shop):
    ask("popular")
    before = files()
    Product.objects.filter(product_id__startswith="spade").change(price="7")
    ask("popular")

    assert files() == before


# What is kept aside says what the database says


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["price", "group", "sku", "category", "delete", "add", "rename", "seen"]),
        st.integers(0, 60),
        st.sampled_from(["bear", "drawn", "spade-1", "sku-spade-2", ""]),
    ),
    min_size=1,
    max_size=12,
)


@hypothesis_settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=CHANGES, together=st.booleans())
def test_changes_kept_aside_and_a_new_image_say_what_the_database_says(shop, steps, together):
    ask("popular", limit=1)
    for number, (kind, at, name) in enumerate(steps):
        change(shop, kind, at, name, number)
        if not together:
            ask("popular", limit=1)
    columns = snapshot_book().get(entry()).columns
    expected = told(fresh())

    assert told(columns) == expected
    assert told(Columns.of(refresh._lay_out(columns, entry()))) == expected


def change(shop, kind, at, name, number):
    products = Product.objects.order_by("pk")
    chosen = products[at % products.count()] if products.count() else None
    if kind == "add" or chosen is None:
        shops.add_product(
            shop, f"added-{time.monotonic_ns()}", item_group_id=name, category="toys", sku=name
        )
    elif kind == "price":
        Product.objects.filter(pk=chosen.pk).change(price=number, in_stock=at % 2 == 0)
    elif kind == "group":
        Product.objects.filter(pk=chosen.pk).change(item_group_id=name)
    elif kind == "sku":
        Product.objects.filter(pk=chosen.pk).change(sku=name)
    elif kind == "seen":
        Product.objects.filter(pk=chosen.pk).change(first_seen_at=shops.START.replace(year=2001))
    elif kind == "rename":
        Product.objects.filter(pk=chosen.pk).change(product_id=f"renamed-{time.monotonic_ns()}")
    elif kind == "category":
        chosen.categories.set(Category.objects.filter(category_id__in=["teapots", "garden"]))
        chosen.save()
    else:
        chosen.delete()


def test_two_names_with_the_same_hash_are_told_apart(shop):
    # both have the CRC-32 4ddb0c25
    shops.add_product(shop, "plumless", sku="one")
    shops.add_product(shop, "buckeroo", sku="two")
    columns = refresh.opened(entry())

    assert columns.image.rows_named("plumless") == columns.image.rows_named("buckeroo")
    assert columns.row(columns.row_of("plumless")).sku == "one"
    assert columns.row(columns.row_of("buckeroo")).sku == "two"


def test_a_record_says_what_the_product_says(shop):
    shops.add_product(
        shop,
        'odd/🐻 "quoted"',
        price="0.1250",
        sale_price=None,
        attributes={"big": 2**70, "small": 0.1, "deep": {"a": [None, True]}},
        texts={"en-SE": {"title": "Bear"}},
        additional_image_urls=["https://img.example/2.jpg"],
        category="toys",
    )
    row = list(refresh.read_rows(shop.pk))[-1]

    assert type(row).from_record(row.to_record()) == row
    assert json.loads(row.to_record())[14]["big"] == 2**70


def test_a_file_holds_arrays_of_any_length(tmp_path: Path):
    path = tmp_path / "file"
    arrays = {"none": np.empty(0), "three": np.arange(3, dtype=np.int32)}
    texts = {"words": (b"onetwo", mapped.array("q", [3, 0, 3])), "empty": (b"", mapped.array("q"))}
    mapped.write(path, mapped.pack({"fact": "x"}, arrays, texts))
    found = mapped.read(path)

    assert found.facts == {"fact": "x"}
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        "none": [],
        "three": [0, 1, 2],
    }
    assert list(found.texts["words"]) == [b"one", b"", b"two"]
    assert (found.texts["words"][2], list(found.texts["empty"])) == (b"two", [])


IDS = st.lists(st.sampled_from(["", "a", "b", "ab", "ba", "å", "aa"]), max_size=6)


@given(ours=IDS, theirs=IDS)
def test_the_ids_that_two_lists_begin_with_are_counted(ours, theirs):
    def encoded(ids):
        texts = [one.encode() for one in ids]
        lengths = [len(text) for text in texts]
        return b"".join(texts), np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)

    our_text, our_indptr = encoded(ours)
    their_text, their_indptr = encoded(theirs)
    item_ids = ItemIds(np.frombuffer(our_text, dtype=np.uint8), our_indptr)
    group_ids = mapped.Texts(b"xx" + their_text + b"end", 2, their_indptr)

    expected = 0
    while expected < min(len(ours), len(theirs)) and ours[expected] == theirs[expected]:
        expected += 1
    assert in_common(item_ids, group_ids) == expected
