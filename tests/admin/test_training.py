from __future__ import annotations

import pytest
from django.utils import timezone

from depict_reco.admin.background import CannotStartError
from depict_reco.models import TrainingRun
from tests.admin.conftest import messages_of

LIST = "/admin/depict_reco/trainingrun/"


def test_measured_accuracy_is_a_table(admin_client, shop):
    page = admin_client.get(f"{LIST}{shop.training_run.pk}/change/").text
    assert "<strong>next</strong></td><td>0.4545</td>" in page
    assert "<strong>basket</strong></td><td>0.2590</td>" in page
    assert f'href="/admin/depict_reco/artifact/{shop.artifact.pk}/change/">v1</a>' in page


def test_button_leads_to_a_form_that_starts_a_training(admin_client, shop, started):
    assert f'href="{LIST}train/"' in admin_client.get(LIST).text
    assert admin_client.get(f"{LIST}train/").status_code == 200
    response = admin_client.post(f"{LIST}train/", {"market": shop.market.pk})
    assert response["Location"] == LIST
    assert started == [("reco_train", "acme", "se")]
    assert "The training of acme/se was started." in messages_of(response)[0]


def test_form_wants_a_market(admin_client, shop, started):
    for given in ({}, {"market": "999999"}, {"market": "x"}):
        assert admin_client.post(f"{LIST}train/", given).status_code == 200
    assert started == []


def test_looking_at_the_form_starts_nothing(admin_client, shop, started):
    admin_client.get(f"{LIST}train/", {"market": shop.market.pk})
    assert started == []


def test_training_needs_its_right(staff, shop, started):
    client = staff("view_trainingrun", "change_market")
    assert "train/" not in client.get(LIST).text
    assert client.post(f"{LIST}train/", {"market": shop.market.pk}).status_code == 403
    assert started == []
    assert staff("train_model").post(f"{LIST}train/", {"market": shop.market.pk}).status_code == 302
    assert len(started) == 1


def test_one_training_at_a_time(admin_client, shop, started):
    TrainingRun.objects.create(market=shop.market, heartbeat_at=timezone.now())
    response = admin_client.post(f"{LIST}train/", {"market": shop.market.pk})
    assert started == []
    assert "acme/se is being trained already." in messages_of(response)[0]
    TrainingRun.objects.update(heartbeat_at=timezone.now() - 2 * TrainingRun.SILENCE)
    admin_client.post(f"{LIST}train/", {"market": shop.market.pk})
    assert len(started) == 1


@pytest.mark.usefixtures("shop")
def test_what_cannot_be_started_is_said(admin_client, shop, monkeypatch):
    def refuse(*args, **kwargs):
        raise CannotStartError("No interpreter.")

    monkeypatch.setattr("depict_reco.admin.training_start.start_command", refuse)
    response = admin_client.post(f"{LIST}train/", {"market": shop.market.pk})
    assert messages_of(response) == ["No interpreter."]


def test_the_seconds_of_each_phase_stand_in_their_order(admin_client, shop):
    durations = {"fitting": 4.5, "content": 2.25}
    run = TrainingRun.objects.create(market=shop.market, durations=durations)

    page = admin_client.get(f"{LIST}{run.pk}/change/").text

    assert page.index("<td>2.2500</td>") < page.index("<td>4.5000</td>")
