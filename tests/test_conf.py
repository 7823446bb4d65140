"""The settings: what the project gives, else the defaults, and what it gives later."""

from __future__ import annotations

import pytest
from django.test import override_settings

from depict_reco.conf import Settings, defaults
from depict_reco.conf import settings as reco


def test_a_default_stands_where_the_project_gives_nothing(settings):
    settings.DEPICT_RECO = {}

    assert reco.HISTORY_LENGTH == 50
    assert reco.DISPLAY_ATTRIBUTES == ()


def test_the_project_goes_first_each_time_it_is_changed(settings):
    assert reco.HISTORY_LENGTH == 50
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "HISTORY_LENGTH": 7}
    assert reco.HISTORY_LENGTH == 7
    with override_settings(DEPICT_RECO={"HISTORY_LENGTH": 8}):
        assert reco.HISTORY_LENGTH == 8
    assert reco.HISTORY_LENGTH == 7


def test_other_settings_of_the_project_change_nothing(settings):
    settings.DEPICT_RECO = {"HISTORY_LENGTH": 7}
    settings.HISTORY_LENGTH = 9

    assert reco.HISTORY_LENGTH == 7


def test_what_is_no_setting_is_an_error():
    with pytest.raises(AttributeError, match="HISTORY_LENGHT"):
        reco.HISTORY_LENGHT  # type: ignore[attr-defined]  # noqa: B018


def test_the_defaults_are_those_of_the_class():
    assert defaults()["REFRESH_SECONDS"] == Settings.REFRESH_SECONDS == 1.0
    assert all(name.isupper() for name in defaults())
