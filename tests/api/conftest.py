from __future__ import annotations

import pytest

from depict_reco.api import views
from depict_reco.models import ApiKey, Market, Tenant
from depict_reco.serving.requests import Answer

OPEN = Tenant.StorefrontAccess.OPEN_TO_ORIGINS


@pytest.fixture
def acme(db):
    """A shop that asks for a key."""
    tenant = Tenant.objects.create(slug="acme", name="Acme", origins=["https://acme.example"])
    Market.objects.create(
        tenant=tenant, slug="se", currency="SEK", default_locale="sv-SE", locales=["en-SE"]
    )
    Market.objects.create(tenant=tenant, slug="us", currency="USD", default_locale="en-US")
    return tenant


@pytest.fixture
def bazaar(db):
    """A shop that is open to the pages of its origin."""
    tenant = Tenant.objects.create(
        slug="bazaar", name="Bazaar", origins=["https://bazaar.example"], storefront_access=OPEN
    )
    Market.objects.create(tenant=tenant, slug="de", currency="EUR", default_locale="de-DE")
    return tenant


@pytest.fixture
def secret(acme):
    return ApiKey.objects.issue(acme, name="shop", scopes=["recommend"])[1]


@pytest.fixture
def asked(monkeypatch):
    """The questions that serving is asked; it answers each with one made-up display."""
    questions = []

    def recommend(question, **known):
        questions.append(question)
        return Answer(body=b'{"displays":[{"product_id":"p"}]}')

    monkeypatch.setattr(views, "recommend", recommend)
    return questions
