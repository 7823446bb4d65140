from __future__ import annotations

import numpy as np
import pytest

from depict_reco.engine import content
from depict_reco.engine.content import ContentModel, ProductText, terms_of


def near(model, item):
    """Return the items that read like one, best first, with their likeness."""
    found = model.neighbours
    row = slice(found.indptr[item], found.indptr[item + 1])
    return dict(zip(found.items[row].tolist(), found.scores[row].tolist(), strict=True))


def titles(*names):
    return [ProductText(title=name) for name in names]


def found_by(model, text):
    scored = model.scores_of_text(text)
    return dict(zip(scored.items.tolist(), scored.scores.tolist(), strict=True))


def test_products_with_the_same_words_are_alike():
    model = ContentModel.fit(titles("red wool socks", "red wool hat", "garden hose", "wool SOCKS"))
    assert list(near(model, 0)) == [3, 1]
    assert near(model, 2) == {}


def test_equal_texts_have_a_likeness_of_one():
    model = ContentModel.fit(titles("blue mug", "blue mug", "green plate"))
    assert near(model, 0) == {1: pytest.approx(1.0, abs=1e-6)}


def test_rare_words_count_more_than_common_ones():
    model = ContentModel.fit(titles("tea zanzibar", "tea pot", "tea cup", "cup zanzibar"))
    assert next(iter(near(model, 0))) == 3


def test_likeness_is_mutual():
    model = ContentModel.fit(titles("red wool socks", "red hat", "wool hat", "socks"))
    for item in range(4):
        for other, score in near(model, item).items():
            assert near(model, other)[item] == pytest.approx(score)


@pytest.mark.parametrize(
    "same",
    [
        {"brand": "Acme"},
        {"categories": ("tea",)},
        {"attributes": {"colour": "Blue"}},
        {"description": "hand made in small numbers"},
    ],
    ids=lambda same: next(iter(same)),
)
def test_every_kind_of_text_relates(same):
    texts = [
        ProductText(title="alpha", **same),
        ProductText(title="beta", **same),
        ProductText(title="gamma"),
        ProductText(title="delta"),
    ]
    model = ContentModel.fit(texts)
    assert list(near(model, 0)) == [1]
    assert list(near(model, 1)) == [0]


def test_fields_are_told_apart():
    """A brand of the name is no word of a title, nor the same value of another attribute."""
    texts = [
        ProductText(brand="oak"),
        ProductText(title="oak"),
        ProductText(attributes={"wood": "oak"}),
        ProductText(attributes={"finish": "oak"}),
        ProductText(categories=("oak",)),
    ]
    model = ContentModel.fit(texts)
    assert [near(model, item) for item in range(5)] == [{}] * 5


def test_case_and_punctuation_do_not_matter():
    assert terms_of(ProductText(title="Red, WOOL-socks!")) == terms_of(
        ProductText(title="red wool socks")
    )


def test_words_of_other_alphabets_are_words():
    model = ContentModel.fit(titles("красный чай", "чай зелёный", "größe", "GRÖSSE", "hose"))
    assert list(near(model, 0)) == [1]
    assert list(near(model, 2)) == [3]


def test_a_broken_surrogate_is_no_error():
    assert terms_of(ProductText(brand="\ud800"))


def test_long_attribute_values_are_left_out():
    assert terms_of(ProductText(attributes={"text": "x" * 101})) == {}
    assert terms_of(ProductText(attributes={"text": "x" * 100})) != {}


def test_a_word_of_the_title_counts_more_than_one_of_the_description():
    (title,) = terms_of(ProductText(title="tea")).values()
    (description,) = terms_of(ProductText(description="tea tea tea")).values()
    assert title > description


def test_a_product_that_came_later_is_compared():
    model = ContentModel.fit(titles("red wool socks", "garden hose"))
    assert found_by(model, ProductText(title="red wool socks")) == {0: pytest.approx(1.0)}
    partly = found_by(model, ProductText(title="wool blanket"))
    assert partly.keys() == {0}
    assert 0.1 < partly[0] < 0.9


def test_texts_that_are_no_items_are_compared():
    """The likeness is that which the same text would have as an item."""
    texts = [ProductText(title="red teapot"), ProductText(title="blue teapot"), ProductText()]
    model = ContentModel.fit([*texts, ProductText(title="spade", brand="Home")])
    found = model.likeness(ProductText(title="red teapot"), texts)
    expected = model.scores_of_text(ProductText(title="red teapot"))
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([1.0, expected.scores[1], 0.0], abs=1e-5)
    assert 0 < found[1] < 1
    assert model.likeness(ProductText(), texts).tolist() == [0, 0, 0]
    assert model.likeness(texts[0], []).tolist() == []


def test_unknown_words_find_nothing():
    model = ContentModel.fit(titles("red wool socks", "garden hose"))
    assert found_by(model, ProductText(title="xylophone")) == {}


def test_empty_text_finds_nothing_and_is_found_by_nothing():
    model = ContentModel.fit([ProductText(), ProductText(title="hose"), ProductText()])
    assert found_by(model, ProductText()) == {}
    assert [near(model, item) for item in range(3)] == [{}] * 3


def test_only_empty_texts():
    model = ContentModel.fit([ProductText()] * 3)
    assert near(model, 0) == {}
    assert found_by(model, ProductText(title="hose")) == {}


def test_no_products():
    model = ContentModel.fit([])
    assert model.neighbours.indptr.tolist() == [0]
    assert found_by(model, ProductText(title="hose")) == {}


TEAS = titles("tea bag green", "tea bag green", "tea bag black", "tea bag white", "hose")


def large(monkeypatch, documents):
    """Make terms of more products than this common, as they are in a large shop."""
    monkeypatch.setattr(content, "MAX_DOCUMENTS", documents)
    monkeypatch.setattr(content, "MAX_PAIRS", 0)


def test_common_terms_relate_nothing_that_has_others(monkeypatch):
    large(monkeypatch, 3)
    model = ContentModel.fit(TEAS)
    assert near(model, 0).keys() == {1}
    assert near(model, 2) == {}


def test_common_terms_count_in_small_shops(monkeypatch):
    monkeypatch.setattr(content, "MAX_DOCUMENTS", 3)
    assert near(ContentModel.fit(TEAS), 2).keys() == {0, 1, 3}


def test_the_work_is_bounded_by_the_rarest_terms_first(monkeypatch):
    """Terms of 4, 4, 2, 1, 1 and 1 products: 7 pairs leave room for all but the first two."""
    monkeypatch.setattr(content, "MAX_DOCUMENTS", 1)
    monkeypatch.setattr(content, "MAX_PAIRS", 8)
    assert near(ContentModel.fit(TEAS), 0).keys() == {1}
    assert near(ContentModel.fit(TEAS), 2) == {}


def test_what_has_common_terms_only_is_compared_with_the_most_liked_of_them(monkeypatch):
    large(monkeypatch, 2)
    teas = titles("tea", "tea", "tea", "tea", "tea hose")
    liked = np.array([0.1, 0.0, 0.9, 0.5, 0.0], dtype=np.float32)
    model = ContentModel.fit(teas, liked=liked)
    assert list(near(model, 1)) == [2, 3]
    assert list(near(model, 2)) == [3]
    assert found_by(model, ProductText(title="tea")).keys() == {2, 3}


def test_of_what_reads_alike_the_liked_is_nearer():
    teas = titles("green tea", "green tea", "green tea", "green socks", "hose")
    liked = np.array([0.0, 0.2, 1.0, 1.0, 0.0], dtype=np.float32)
    assert list(near(ContentModel.fit(teas, liked=liked), 0)) == [2, 1, 3]
    assert list(near(ContentModel.fit(teas, liked=liked, count=1), 0)) == [2]


def test_count_keeps_the_nearest():
    model = ContentModel.fit(titles("a1 b1 c1", "a1 b1 c1", "a1 b1 d1", "a1 e1 f1"), count=2)
    assert list(near(model, 0)) == [1, 2]


def test_kinds_of_arrays():
    model = ContentModel.fit(titles("red socks", "red hat"))
    assert model.bucket_indptr.dtype == np.int64
    assert len(model.bucket_indptr) == content.BUCKETS + 1
    assert model.bucket_items.dtype == np.int32
    assert model.bucket_weights.dtype == np.float32
    assert model.idf.dtype == np.float32
