"""The refusals of bodies, as pydantic 2 words them for the same models."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ValidationError

from depict_reco.api.errors import MAX_ERRORS, InvalidRequestError
from depict_reco.api.serializers import (
    CategoryRecommendRequestSerializer,
    GeneralRecommendRequestSerializer,
    GetDisplaysRequestV3Serializer,
    RecommendForManyRequestSerializer,
    RecommendRequestSerializer,
    RecommendRequestV3Serializer,
    recommend_request,
)
from depict_reco.serving.requests import RecommendRequest

V2 = {"tenant": "acme", "market": "se", "type": "checkout", "product_ids": ["x"]}
V3 = {"merchant": "acme", "market": "se", "locale": "sv", "type": "checkout"}
GET_DISPLAYS = {"merchant": "acme", "market": "se", "locale": "sv", "product_ids": ["1"]}

STRING = ("string_type", "Input should be a valid string")
INTEGER = ("int_type", "Input should be a valid integer")
LIST = ("list_type", "Input should be a valid list")
DICT = ("dict_type", "Input should be a valid dictionary")
MISSING = ("missing", "Field required")
EXTRA = ("extra_forbidden", "Extra inputs are not permitted")
FRACTION = (
    "int_from_float",
    "Input should be a valid integer, got a number with a fractional part",
)
TOO_SMALL = ("greater_than_equal", "Input should be greater than or equal to 1")
TOO_LARGE = ("less_than_equal", "Input should be less than or equal to 128")
TOO_SHORT = ("string_too_short", "String should have at least 1 character")


def errors(serializer, data):
    with pytest.raises(ValidationError) as refusal:
        serializer.run_validation(data)
    entries = InvalidRequestError.from_validation(refusal.value).entries
    return [(entry["loc"], entry["type"], entry["msg"]) for entry in entries]


@pytest.fixture(scope="module")
def v2():
    return RecommendForManyRequestSerializer()


@pytest.fixture(scope="module")
def v3():
    return RecommendRequestV3Serializer()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("tenant", None, STRING),
        ("tenant", 5, STRING),
        ("tenant", True, STRING),
        ("tenant", {"a": 1}, STRING),
        ("tenant", ["acme"], STRING),
        ("locale", 5, STRING),
        ("dsid", "", TOO_SHORT),
        ("dsid", 5, STRING),
        ("limit", 0, TOO_SMALL),
        ("limit", -1.0, TOO_SMALL),
        ("limit", -0.0, TOO_SMALL),
        ("limit", 129, TOO_LARGE),
        ("limit", 129.0, TOO_LARGE),
        ("limit", 10**400, TOO_LARGE),
        ("limit", -(10**400), TOO_SMALL),
        ("limit", 1e300, TOO_LARGE),
        ("limit", 5.5, FRACTION),
        ("limit", 128.5, FRACTION),
        ("limit", "5", INTEGER),
        ("limit", True, INTEGER),
        ("limit", False, INTEGER),
        ("limit", [], INTEGER),
        ("product_ids", None, LIST),
        ("product_ids", "x", LIST),
        ("product_ids", {"a": 1}, LIST),
        ("metadata", [1], DICT),
        ("metadata", "x", DICT),
        ("unknown", None, EXTRA),
        ("non_field_errors", 1, EXTRA),
    ],
)
def test_one_wrong_field(v2, field, value, error):
    assert errors(v2, {**V2, field: value}) == [(["body", field], *error)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 1),
        ("limit", 128),
        ("limit", 5.0),
        ("limit", 1e2),
        ("limit", None),
        ("locale", None),
        ("locale", ""),
        ("user_id", "\0"),
        ("session_id", "😀" * 25_000),
        ("dsid", None),
        ("dsid", "\0"),
        ("document_referrer", ""),
        ("metadata", None),
        ("metadata", {}),
        ("metadata", {"": ""}),
        ("product_ids", []),
        ("product_ids", [""]),
        ("product_ids", ["x"] * 5000),
        ("tenant", ""),
        ("type", " checkout "),
    ],
)
def test_what_the_schema_allows_is_taken_as_it_is(v2, field, value):
    assert v2.run_validation({**V2, field: value})[field] == value


def test_a_whole_float_becomes_an_integer(v2):
    limit = v2.run_validation({**V2, "limit": 5.0})["limit"]

    assert (limit, type(limit)) == (5, int)


@pytest.mark.parametrize("data", [None, [], [V2], 5, "x", True])
def test_a_body_that_is_no_object(v2, data):
    assert errors(v2, data) == [
        (
            ["body"],
            "model_attributes_type",
            "Input should be a valid dictionary or object to extract fields from",
        )
    ]


def test_all_errors_are_told_at_once_in_the_order_of_the_fields(v2):
    body = {"z": 1, "metadata": {"a": 1, "b": "x", "c": None}, "a": 2, "tenant": 3, "limit": 500,
            "product_ids": [1, "a", None, True]}  # fmt: skip

    assert errors(v2, body) == [
        (["body", "tenant"], *STRING),
        (["body", "market"], *MISSING),
        (["body", "type"], *MISSING),
        (["body", "limit"], *TOO_LARGE),
        (["body", "metadata", "a"], *STRING),
        (["body", "metadata", "c"], *STRING),
        (["body", "product_ids", 0], *STRING),
        (["body", "product_ids", 2], *STRING),
        (["body", "product_ids", 3], *STRING),
        (["body", "z"], *EXTRA),
        (["body", "a"], *EXTRA),
    ]


def test_a_metadata_key_may_have_any_name(v2):
    assert errors(v2, {**V2, "metadata": {"non_field_errors": 1, "": 2}}) == [
        (["body", "metadata", "non_field_errors"], *STRING),
        (["body", "metadata", ""], *STRING),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"product_ids": list(range(100_000))},
        {"metadata": {str(number): number for number in range(100_000)}},
        {str(number): number for number in range(100_000)},
        {"product_ids": list(range(900)), **{str(number): number for number in range(900)}},
    ],
    ids=["items", "values", "fields", "both"],
)
def test_a_small_body_cannot_ask_for_a_huge_answer(v2, wrong):
    assert len(errors(v2, {**V2, **wrong})) == MAX_ERRORS


def test_each_endpoint_needs_its_own_field():
    general = {key: V2[key] for key in ("tenant", "market", "type")}

    assert GeneralRecommendRequestSerializer().run_validation(general) == general
    for serializer, field in [
        (RecommendRequestSerializer(), "product_id"),
        (CategoryRecommendRequestSerializer(), "category_id"),
        (RecommendForManyRequestSerializer(), "product_ids"),
    ]:
        assert errors(serializer, general) == [(["body", field], *MISSING)]
        assert errors(GeneralRecommendRequestSerializer(), {**general, field: "x"}) == [
            (["body", field], *EXTRA)
        ]


def test_v3_ignores_unknown_fields_and_keeps_none_of_them(v3):
    body = {**V3, "metadata": {"a": 1}, "category_id": 5, "tenant": None}

    assert v3.run_validation(body) == {**V3, "product_ids": []}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [("locale", None, STRING), ("product_ids", None, LIST), ("limit", "1", INTEGER)],
)
def test_v3_is_strict_about_its_own_fields(v3, field, value, error):
    assert errors(v3, {**V3, field: value}) == [(["body", field], *error)]


def test_the_default_of_a_list_is_nobody_elses(v3):
    first = v3.run_validation(V3)["product_ids"]
    first.append("x")

    assert v3.run_validation(V3)["product_ids"] == []


@pytest.mark.parametrize(
    ("field", "value", "loc", "type", "message"),
    [
        ("market", "", ["body", "market"], *TOO_SHORT),
        ("product_ids", [], ["body", "product_ids"], "too_short",
         "List should have at least 1 item after validation, not 0"),
        ("product_ids", ["a"] * 60, ["body", "product_ids"], "too_long",
         "List should have at most 50 items after validation, not 60"),
        ("product_ids", [1] * 51, ["body", "product_ids"], "too_long",
         "List should have at most 50 items after validation, not 51"),
        ("product_ids", ["a"] * 49 + [1], ["body", "product_ids", 49], *STRING),
    ],
)  # fmt: skip
def test_get_displays_bounds(field, value, loc, type, message):
    body = {**GET_DISPLAYS, field: value}

    assert errors(GetDisplaysRequestV3Serializer(), body) == [(loc, type, message)]


def test_messages_do_not_follow_the_language_of_the_request(v2, settings):
    from django.utils import translation

    with translation.override("sv"):
        assert errors(v2, {**V2, "tenant": 5}) == [(["body", "tenant"], *STRING)]


def test_fields_are_bound_once(v2, monkeypatch):
    v2.run_validation(V2)

    def forbidden(self):
        raise AssertionError("the fields are made anew")

    monkeypatch.setattr(RecommendForManyRequestSerializer, "get_fields", forbidden)
    assert v2.run_validation(V2) == V2


def test_the_usual_way_of_drf_works_too():
    valid = RecommendForManyRequestSerializer(data=V2)
    wrong = RecommendForManyRequestSerializer(data=[])

    assert valid.is_valid()
    assert valid.validated_data == V2
    assert not wrong.is_valid()
    assert wrong.errors["non_field_errors"][0].code == "model_attributes_type"


def test_a_v2_body_becomes_a_question():
    body = {**V2, "product_ids": ["a", "b"], "limit": 3, "locale": "sv-SE", "user_id": "u",
            "session_id": "s", "dsid": "d", "metadata": {"a": "b"}}  # fmt: skip

    assert recommend_request(body, variants=False, debug=True) == RecommendRequest(
        tenant="acme",
        market="se",
        type="checkout",
        product_ids=("a", "b"),
        locale="sv-SE",
        limit=3,
        user_id="u",
        session_id="s",
        dsid="d",
        debug=True,
    )


def test_a_v3_body_becomes_a_question():
    values = {**V3, "product_ids": ["a"], "session_id": "s", "limit": None}

    assert recommend_request(values, variants=True, debug=False) == RecommendRequest(
        tenant="acme",
        market="se",
        type="checkout",
        product_ids=("a",),
        locale="sv",
        session_id="s",
        variants=True,
    )


def test_one_product_or_a_category_becomes_a_question():
    about = {"tenant": "acme", "market": "se", "type": "similar"}

    product = recommend_request({**about, "product_id": "p"}, variants=False, debug=False)
    category = recommend_request({**about, "category_id": "c"}, variants=False, debug=False)

    assert (product.product_ids, product.category_id) == (("p",), None)
    assert (category.product_ids, category.category_id) == ((), "c")
