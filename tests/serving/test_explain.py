from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from depict_reco.engine.explain import Facts
from depict_reco.engine.occurrences import Count
from depict_reco.models import Category, Product, RecommendationType
from depict_reco.serving import explain as explaining
from depict_reco.serving import wording
from depict_reco.serving.candidates import SOURCES
from depict_reco.serving.defaults import DEFAULT_TYPES
from depict_reco.serving.explain import explained
from depict_reco.serving.reasons import EXPLAINED
from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import RecommendRequest
from tests import shop as shops

pytestmark = pytest.mark.django_db


def asked(type_, *product_ids, **fields):
    return RecommendRequest(
        **{"tenant": "acme", "market": "se", "type": type_, "product_ids": product_ids} | fields
    )


def reasons(type_, *product_ids, **fields):
    """Return the explanations by product id."""
    found = explained(asked(type_, *product_ids, **fields))
    return dict(zip(found.answer.product_ids, found.explanations, strict=True))


def texts(type_, *product_ids, **fields):
    return {
        product_id: [reason.text for reason in told]
        for product_id, told in reasons(type_, *product_ids, **fields).items()
    }


# Figures: tests/shop.py says what happened


def test_what_is_bought_together_is_counted(trained_shop):
    """Sixty days, and every fifth day teapot 1 was ordered, with teacup 1."""
    found = reasons("cross_sell", "teapot-1")["teacup-1"]
    assert found[0].text == "bought together in 12 of 12 baskets"
    assert (found[0].source, found[0].part) in {
        ("complements", "linear"), ("complements", "baskets"),
    }  # fmt: skip
    assert found[0].share > 0.5


def test_of_several_products_the_one_that_speaks_is_named(trained_shop):
    found = texts("checkout", "teapot-1", "spade-2")
    assert found["teacup-1"][0] == "bought together with “Teapot 1” in 12 of 12 baskets"
    assert found["glove-2"][0] == "bought together with “Spade 2” in 12 of 12 baskets"


def test_what_is_viewed_is_counted(trained_shop):
    """A visit of each day looks at three teapots in a row.

    Teapot 1 was in 36 of them and in 12 orders, 24 times with teapot 2; of the visits in which
    something came after teapot 1, 12 by its orders, teapot 2 came next in 24.
    """
    found = texts("for_you", "teapot-1", session_id="nobody")
    assert "viewed together in 24 of 48 visits" in found["teapot-2"]
    assert "viewed next by 67 % (24 of 36 visits)" in found["teapot-2"]


def test_titles_are_those_of_the_locale(trained_shop):
    Product.objects.filter(product_id="teapot-1").change(
        texts={"en-SE": {"title": "A pot of " + "very " * 20 + "fine tea"}}
    )
    found = texts("checkout", "teapot-1", "spade-2", locale="en-SE")["teacup-1"][0]
    assert found == (
        "bought together with “A pot of very very very very very very very very very very…” "
        "in 12 of 12 baskets"
    )


def test_titles_are_those_of_the_main_locale_where_none_is_asked_for(trained_shop):
    Product.objects.filter(product_id="teapot-1").change(texts={"sv-SE": {"title": "Tekanna"}})
    for locale in (None, "sv-SE", "xx-XX"):
        found = texts("checkout", "teapot-1", "spade-2", locale=locale)["teacup-1"][0]
        assert found == "bought together with “Tekanna” in 12 of 12 baskets"


def test_what_of_the_history_speaks_is_named(trained_shop):
    """The page does not show what the shopper saw before."""
    shops.add_event(trained_shop, "teapot-1", session_id="me")
    found = texts("for_you", session_id="me")
    assert "viewed together with “Teapot 1” in 24 of 48 visits" in found["teapot-2"]


def test_what_is_common_to_products_is_named(trained_shop):
    assert "same brand and category: Tea & Co, teapots" in texts("similar", "teapot-1")["teapot-2"]


def test_shares_are_of_everything_that_speaks_for_a_product(trained_shop):
    for told in reasons("similar", "teapot-1", limit=10).values():
        shares = [reason.share for reason in told]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.0 + 1e-6
        assert len({reason.text for reason in told}) == len(told) <= 3


# Other sources


def test_every_source_is_explained():
    assert frozenset((*SOURCES, "exploration")) == EXPLAINED


@pytest.mark.parametrize("products", [(), ("teapot-1",), ("teapot-1", "puzzle-5", "unknown")])
def test_every_product_of_every_answer_has_a_reason(trained_shop, products):
    shops.add_event(trained_shop, "puzzle-1", type="purchase", user_id="me")
    for type_, _, _ in DEFAULT_TYPES:
        question = asked(type_, *products, user_id="me", limit=shops.ELIGIBLE)
        found = explained(question)
        assert found.answer.product_ids == recommend(question).product_ids
        assert len(found.explanations) == len(found.answer.product_ids) > 20
        for told, source in zip(found.explanations, found.answer.sources, strict=True):
            assert told
            assert all(reason.text and reason.source == source for reason in told)


def test_trending_names_the_category_that_fills_the_answer(trained_shop):
    Category.objects.filter(category_id="toys").update(name="Toys & games")
    found = texts("category", category_id="toys", limit=2)
    assert found["puzzle-5"] == ["trending in Toys & games"]
    assert texts("trending", limit=1) == {"puzzle-5": ["trending in this market"]}


def test_categories_without_a_name_are_named_by_their_ids(trained_shop):
    Category.objects.update(name="")
    assert texts("category", category_id="toys", limit=1) == {"puzzle-5": ["trending in toys"]}


def test_popular_products(trained_shop):
    assert texts("popular", limit=1) == {"bear-s": ["popular in this market"]}
    found = texts("popular", category_id="toys", limit=7)
    assert found["bear-s"] == ["popular in toys"]
    assert found["puzzle-1"] == ["from the category toys"]


def test_new_products(trained_shop):
    seen = timezone.now() - timedelta(days=3, hours=1)
    shops.add_product(trained_shop, "lamp", first_seen_at=seen)
    shops.add_product(trained_shop, "torch", first_seen_at=timezone.now())
    found = texts("new_in", limit=3)
    assert found.pop("torch") == ["new since today"]
    assert found.pop("lamp") == ["new since 3 days"]
    assert list(found.values()) == [["among the newest in the catalogue"]]


def test_fillers(trained_shop):
    found = texts("popular", limit=shops.ELIGIBLE)
    assert found["puzzle-1"] == ["fills the list: little is known of it yet"]


def test_without_a_model_there_is_still_something_to_say(shop):
    found = texts("similar", "teapot-1", limit=4)
    assert set(map(tuple, found.values())) == {("from the category teapots",)}


def test_products_newer_than_the_model_are_explained_by_what_they_say(trained_shop):
    shops.add_product(trained_shop, "new-pot", title="Teapot 9", brand="Tea & Co")
    found = texts("similar", "new-pot", limit=3)
    assert {told[0] for told in found.values()} == {"same brand: Tea & Co"}


def test_recently_viewed(trained_shop):
    for minute, name in enumerate(("spade-1", "puzzle-2", "glove-3")):
        shops.add_event(
            trained_shop, name, session_id="me", time=shops.START + timedelta(minutes=minute)
        )
    found = texts("recently_viewed", session_id="me", limit=3)
    assert found == {
        "glove-3": ["what this shopper dealt with last"],
        "puzzle-2": ["this shopper dealt with it 1 product before the last"],
        "spade-1": ["this shopper dealt with it 2 products before the last"],
    }


def test_buying_again_tells_the_shopper_and_the_interval(trained_shop):
    end = shops.START + timedelta(days=shops.DAYS - 1)
    for days in (3, 10, 10.1, 17):
        shops.add_event(
            trained_shop, "puzzle-1", type="purchase", user_id="me", time=end - timedelta(days=days)
        )
    found = texts("buy_again", user_id="me", limit=shops.ELIGIBLE)
    # nobody in this shop has bought anything twice, so the interval is the usual one of 30 days
    assert found["puzzle-1"] == [
        "bought by this shopper 3 times, last 3 days ago, due about every 30 days"
    ]
    assert found["bear-s"] == ["bought by many in this market"]


def test_exploration(trained_shop):
    RecommendationType.objects.filter(name="similar").update(parameters={"exploration": 0.5})
    trained_shop.tenant.save()
    seen = timezone.now() - timedelta(days=1)
    shops.add_product(trained_shop, "new-pot", title="Teapot 9", first_seen_at=seen)
    found = texts("similar", "teapot-1", limit=4)
    assert found["new-pot"] == ["new since 1 day, shown to learn who likes it"]


# What was left out


def test_what_was_left_out_and_why(trained_shop):
    Product.objects.filter(product_id="teapot-2").change(in_stock=False)
    Product.objects.filter(product_id="teapot-3").change(hidden=True)
    Product.objects.filter(product_id="teapot-4").change(active=False)
    RecommendationType.objects.filter(name="similar").update(
        parameters={"exclude_category_ids": ["teacups"]}
    )
    trained_shop.tenant.save()
    found = explained(asked("similar", "teapot-1", limit=9), left_out=20)
    left = {entry.product_id: entry.reason for entry in found.left_out}
    assert left["teapot-2"] == "sold out"
    assert left["teapot-3"] == "hidden"
    assert left["teapot-4"] == "no longer in the feed"
    assert left["teacup-1"] == "in a category that the type leaves out"
    assert not set(left) & set(found.answer.product_ids)
    assert {entry.title for entry in found.left_out} >= {"Teapot 2", "Teapot 3", "Teapot 4"}


def test_what_the_request_names_is_left_out(trained_shop):
    found = explained(asked("category", "puzzle-5", category_id="toys", limit=2), left_out=1)
    assert [(entry.product_id, entry.reason) for entry in found.left_out] == [
        ("puzzle-5", "in the request")
    ]


def test_what_is_deleted_is_neither_named_nor_left_out(trained_shop):
    """The model and the image of the catalogue know of it still."""
    recommend(asked("similar", "teapot-1"))
    Product.objects.filter(product_id="teapot-2").delete()
    for type_ in ("similar", "checkout", "for_you", "trending", "new_in"):
        found = explained(asked(type_, "teapot-1", limit=9), left_out=40)
        assert "Teapot 2" not in {entry.title for entry in found.left_out}
        told = [reason.text for reasons in found.explanations for reason in reasons]
        assert told
        assert not [text for text in told if "Teapot 2" in text]


def test_only_so_many_are_named(trained_shop):
    Product.objects.filter(product_id__startswith="teapot").change(in_stock=False)
    question = asked("similar", "teapot-1", limit=9)
    assert len(explained(question, left_out=2).left_out) == 2
    assert explained(question).left_out == ()


def test_an_unknown_type_has_nothing_to_explain(shop):
    found = explained(asked("no-such-type"))
    assert found.answer.body == recommend(asked("no-such-type")).body
    assert found.answer.error == "(tenant, market, type) not yet configured. Please contact Depict."
    assert (found.explanations, found.left_out) == ((), ())


# Cost


def test_requests_that_do_not_ask_are_not_explained(trained_shop, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("explained")

    monkeypatch.setattr(explaining, "Reasons", refuse)
    assert recommend(asked("similar", "teapot-1")).product_ids
    with pytest.raises(AssertionError, match="explained"):
        explained(asked("similar", "teapot-1"))


@pytest.mark.parametrize("limit", [2, 24])
def test_an_explanation_costs_one_query_for_the_names_of_categories(trained_shop, limit):
    question = asked("similar", "teapot-1", limit=limit)
    recommend(question)
    with CaptureQueriesContext(connection) as plain:
        recommend(question)
    with CaptureQueriesContext(connection) as captured:
        explained(question, left_out=10)
    assert len(captured) == len(plain) + 1
    assert sum("reco_category" in query["sql"] for query in captured) == 1


def test_without_the_database_categories_are_named_by_their_ids(trained_shop, monkeypatch):
    Category.objects.filter(category_id="toys").update(name="Toys & games")
    recommend(asked("trending"))

    def gone(*args, **kwargs):
        raise DatabaseError("gone")

    monkeypatch.setattr(Category.objects, "filter", gone)
    assert texts("category", category_id="toys", limit=1) == {"puzzle-5": ["trending in toys"]}


# Words


@pytest.mark.parametrize(
    ("part", "facts", "title", "expected"),
    [
        ("baskets", ((37, 412), (50, 900, 4), (0, 800, 0)), "",
         "bought together in 37 of 412 baskets"),
        ("linear", ((1, 1), (0, 0, 0), (0, 0, 0)), "Pot",
         "bought together with “Pot” in 1 of 1 basket"),
        ("baskets", ((0, 412), (50, 900, 4), (0, 800, 0)), "",
         "in the same visit in 50 of 900 visits"),
        ("linear", ((0, 412), (0, 900, 0), (0, 800, 0)), "Pot",
         "in visits and baskets like those with “Pot”"),
        ("sessions", ((0, 4), (0, 9, 0), (0, 8, 0)), "",
         "in visits and baskets like this one"),
        ("together", ((9, 12), (30, 100, 30), (18, 100, 18)), "",
         "viewed together in 30 of 100 visits"),
        ("views", ((9, 12), (30, 100, 30), (18, 100, 18)), "Pot",
         "viewed together with “Pot” in 30 of 100 visits"),
        ("together", ((9, 12), (30, 100, 29), (18, 100, 18)), "Pot",
         "in the same visit as “Pot” in 30 of 100 visits"),
        ("latest", ((9, 12), (30, 100, 30), (18, 100, 18)), "",
         "viewed next by 18 % (18 of 100 visits)"),
        ("transitions", ((9, 12), (30, 100, 30), (18, 100, 18)), "Pot",
         "viewed next after “Pot” by 18 % (18 of 100 visits)"),
        ("fresh", ((0, 12), (30, 100, 2), (1, 1, 0)), "",
         "wanted next by 100 % (1 of 1 visit)"),
        ("fresh", ((0, 12), (30, 100, 2), (1, 800, 0)), "Pot",
         "wanted next after “Pot” by 0.12 % (1 of 800 visits)"),
        ("fresh", ((9, 12), (30, 100, 30), (0, 100, 0)), "",
         "viewed together in 30 of 100 visits"),
        ("crossed", ((0, 12), (30, 100, 30), (0, 100, 0), (4, 60)), "",
         "put into the cart or bought in 4 of 60 visits"),
        ("crossed", ((0, 12), (30, 100, 30), (0, 100, 0), (1, 1)), "Pot",
         "put into the cart or bought in 1 of 1 visit that viewed “Pot”"),
        ("crossed", ((0, 12), (30, 100, 30), (0, 100, 0), (0, 60)), "Pot",
         "viewed together with “Pot” in 30 of 100 visits"),
        # visits are orders here: nothing was viewed, and the order of an order means nothing
        ("transitions", ((9, 12), (9, 12, 0), (3, 12, 0)), "",
         "bought together in 9 of 12 baskets"),
    ],
)  # fmt: skip
def test_words_fit_the_facts(part, facts, title, expected):
    names = ("baskets", "visits", "following", "wanted")
    given = [Count(**dict(zip(("both", "of", "viewed"), one, strict=False))) for one in facts]
    known = Facts(**dict(zip(names, [*given, Count(both=0, of=0)], strict=False)))
    assert wording.met(part, known, title) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (("Tea & Co", "Pots", "red"), "same brand and category: Tea & Co, Pots"),
        (("", "Pots", "red"), "same category: Pots"),
        (("Tea & Co", "", "red"), "same brand: Tea & Co"),
        (("", "", "red, pot"), "same words: red, pot"),
        (("", "", ""), "reads like “Cup”"),
    ],
)
def test_what_reads_alike(known, expected):
    assert wording.alike(*known, "Cup") == expected
    assert wording.alike("", "", "", "") == "reads alike"


def test_what_lies_between():
    assert wording.walked("Tray", "Pot") == "related to “Pot” by way of “Tray”"
    assert wording.walked("Tray", "") == "related by way of “Tray”"
    assert wording.walked("", "Pot") == "two steps away in what people look at"


def test_words_can_be_translated(trained_shop, monkeypatch):
    monkeypatch.setattr(wording, "ngettext", lambda one, many, n: f"<{one if n == 1 else many}>")
    monkeypatch.setattr(wording, "_", lambda text: f"<{text}>")
    assert texts("cross_sell", "teapot-1")["teacup-1"][0] == "<bought together in 12 of 12 baskets>"
    assert texts("trending", limit=1) == {"puzzle-5": ["<trending in this market>"]}
