"""The template tag."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory

from depict_reco.models import Product
from depict_reco.serving import pages
from tests import shop as shops

pytestmark = pytest.mark.django_db


def render(source: str, **context: object) -> str:
    return Template("{% load depict_reco %}" + source).render(Context(context))


def test_a_template_gets_displays(trained_shop):
    page = render(
        '{% recommendations type="cross_sell" product_ids=basket limit=2 as products %}'
        "{% for product in products %}{{ product.product_id }}:{{ product.title }}:"
        "{{ product.price }}:{{ product.currency }};{% endfor %}",
        basket=["teapot-3", "spade-2"],
    )
    assert set(page.split(";")) == {"teacup-3:Teacup 3:30.00:SEK", "glove-2:Glove 2:40.00:SEK", ""}


def test_all_inputs(trained_shop):
    page = render(
        '{% recommendations "popular" tenant="acme" market=market locale="en-SE" product=product '
        'product_ids=ids category="garden" limit="3" session="s" user="u" as found %}'
        "{{ found.question }} {{ found|length }}",
        market=trained_shop,
        product=Product.objects.get(product_id="teapot-1"),
        ids=["spade-1"],
    )
    for part in (
        "tenant=&#x27;acme&#x27;", "market=&#x27;se&#x27;", "locale=&#x27;en-SE&#x27;",
        "product_ids=(&#x27;spade-1&#x27;, &#x27;teapot-1&#x27;)", "category_id=&#x27;garden&#x27;",
        "limit=3", "session_id=&#x27;s&#x27;", "user_id=&#x27;u&#x27;",
    ):  # fmt: skip
        assert part in page
    assert page.endswith(" 3")


def test_the_shopper_is_that_of_the_request(trained_shop):
    shops.add_event(trained_shop, "spade-2", session_id="0.k3x9")
    request = RequestFactory().get("/")
    request.COOKIES["_dep_id"] = "0.k3x9"
    source = '{% recommendations "recently_viewed" limit=1 as found %}{{ found.0.product_id }}'
    assert render(source, request=request) == "spade-2"
    assert render(source) != "spade-2"


def test_without_a_name_it_shows_a_list(trained_shop):
    Product.objects.filter(product_id="teacup-3").change(
        title='<b>"Cup"</b>', price="20", sale_price="12.5"
    )
    page = render('{% recommendations "cross_sell" product="teapot-3" limit=1 %}')
    assert '<ul class="recommendations" data-recommendation-type="cross_sell">' in page
    assert "&lt;b&gt;&quot;Cup&quot;&lt;/b&gt;" in page
    assert "<s>20.00</s> 12.50 SEK" in page
    assert page.count("<li data-recommendation-id=") == 1
    assert '<a href="https://shop.example/teacup-3?recommendation_id=' in page


def test_a_mistake_shows_while_the_project_is_developed(shop, settings):
    source = 'before {% recommendations "none" %} after'
    settings.DEBUG = False
    assert render(source) == "before  after"
    settings.DEBUG = True
    assert "No recommendations: Tenant &#x27;acme&#x27; has no active type" in render(source)
    named = '{% recommendations "none" as found %}{{ found.problem|truncatechars:20 }}'
    assert render(named) == "Tenant &#x27;acme&#x27; has n…"


def test_an_outage_leaves_the_page_standing(shop, monkeypatch):
    def fail(request):
        raise OperationalError("gone")

    monkeypatch.setattr(pages, "recommend", fail)
    source = 'before {% recommendations "popular" as found %}{{ found|length }} after'
    assert render(source) == "before 0 after"


def test_a_misspelt_input_is_told_when_the_template_is_read():
    with pytest.raises(TemplateSyntaxError, match="unexpected keyword argument 'produkt'"):
        Template('{% load depict_reco %}{% recommendations "similar" produkt=1 as found %}')
    with pytest.raises(TemplateSyntaxError, match="'type'"):
        Template("{% load depict_reco %}{% recommendations as found %}")
