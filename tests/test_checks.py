from __future__ import annotations

import math
import os
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.core.checks import run_checks

from depict_reco import checks
from depict_reco.conf import Settings, defaults
from depict_reco.engine import blending
from depict_reco.serving import filling

DOCS = Path(__file__).parents[1] / "docs" / "checks.md"
CLASSES = "API_AUTHENTICATION_CLASSES"


def run(*, deploy=False):
    """The messages of our checks, by id."""
    messages = run_checks(tags=[checks.TAG], include_deployment_checks=deploy)
    return {message.id: message for message in messages}


@pytest.fixture
def configure(settings):
    def set_to(**values):
        settings.DEPICT_RECO = values

    return set_to


def test_the_defaults_are_fine(configure, settings, tmp_path):
    settings.BASE_DIR = tmp_path
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
    configure()

    assert run(deploy=True) == {}


def test_every_default_passes_its_own_check(configure):
    configure(**defaults())

    assert not set(run()) & {"depict_reco.E002", "depict_reco.E003", "depict_reco.E004"}


def test_no_setting_at_all_is_fine(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    del settings.DEPICT_RECO

    assert run() == {}


@pytest.mark.parametrize("value", [None, [], "REFRESH_SECONDS", 5])
def test_the_setting_must_be_a_dict(settings, value):
    settings.DEPICT_RECO = value

    assert set(run(deploy=True)) >= {"depict_reco.E001"}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("REFRESH_SECOND", "Did you mean 'REFRESH_SECONDS'?"),
        ("refresh_seconds", "Did you mean 'REFRESH_SECONDS'?"),
        ("ARTEFACT_DIR", "Did you mean 'ARTIFACT_DIR'?"),
        ("SOMETHING_ELSE", "docs/settings.md lists the keys."),
        (5, "docs/settings.md lists the keys."),
    ],
)
def test_an_unknown_key_is_reported_with_what_was_meant(configure, settings, key, hint):
    settings.DEPICT_RECO = {key: 1}

    message = run()["depict_reco.E002"]

    assert message.msg == f"DEPICT_RECO has no setting {key!r}."
    assert message.hint == f"{hint} See docs/checks.md#depict_recoe002"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("REFRESH_SECONDS", "1", "a number from 0 on"),
        ("REFRESH_SECONDS", -1, "a number from 0 on"),
        ("REFRESH_SECONDS", True, "a number from 0 on"),
        ("REFRESH_SECONDS", math.inf, "a number from 0 on"),
        ("REFRESH_SECONDS", math.nan, "a number from 0 on"),
        ("REFRESH_SECONDS", None, "a number from 0 on"),
        ("MAX_BODY_BYTES", 0, "a whole number above 0"),
        ("MAX_BODY_BYTES", 1.5, "a whole number above 0"),
        ("MAX_BODY_BYTES", False, "a whole number above 0"),
        ("FEED_TIMEOUT_SECONDS", 0, "a number above 0"),
        ("FEED_TIMEOUT_SECONDS", math.inf, "a number above 0"),
        ("FEED_MAX_DEACTIVATED_SHARE", 1.1, "a number from 0 to 1"),
        ("FEED_ALLOW_PRIVATE_ADDRESSES", "yes", "True or False"),
        ("FEED_ALLOW_PRIVATE_ADDRESSES", 1, "True or False"),
        ("DISPLAY_ATTRIBUTES", "color", "a list of strings"),
        ("DISPLAY_ATTRIBUTES", ["color", 5], "a list of strings"),
        ("DISPLAY_ATTRIBUTES", [""], "a list of strings"),
        ("DISPLAY_ATTRIBUTES", {"color"}, "a list of strings"),
        (CLASSES, "a.b", "a list of strings"),
        ("ARTIFACT_DIR", 5, "a string"),
        ("ARTIFACT_STORAGE", Path("x"), "a string"),
        ("RECOMMENDATION_ID_PARAMETER", "a&b", "a name of letters, digits and . _ ~ -, or empty"),
        ("RECOMMENDATION_ID_PARAMETER", None, "a name of letters, digits and . _ ~ -, or empty"),
    ],
)
def test_a_value_that_cannot_work_is_reported(configure, key, value, complaint):
    configure(**{key: value})

    message = run()["depict_reco.E003"]

    assert message.msg == f"DEPICT_RECO[{key!r}] is {value!r}, but must be {complaint}."
    assert message.hint.startswith(f"The default is {getattr(Settings, key)!r}.")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("REFRESH_SECONDS", 0),
        ("REFRESH_SECONDS", 5),
        ("HISTORY_LENGTH", 0),
        ("FEED_MAX_DEACTIVATED_SHARE", 1),
        ("FEED_MAX_DEACTIVATED_SHARE", 0.0),
        ("RECOMMENDATION_ID_PARAMETER", ""),
        ("RECOMMENDATION_ID_PARAMETER", "rec-id"),
        ("DISPLAY_ATTRIBUTES", ["color"]),
        ("DISPLAY_ATTRIBUTES", ()),
        ("ARTIFACT_DIR", Path(__file__).parent),
        ("ARTIFACT_STORAGE", "default"),
    ],
)
def test_what_works_is_not_reported(configure, key, value):
    configure(**{key: value})

    assert "depict_reco.E003" not in run()


def test_all_faults_are_reported_at_once(configure):
    configure(NONSENSE=1, MAX_BODY_BYTES=0, **{CLASSES: ["no.such.Class"]})

    assert set(run()) >= {"depict_reco.E002", "depict_reco.E003", "depict_reco.E004"}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("no.such.module.Class", "cannot be imported: "),
        ("depict_reco.api.authentication.NoSuchClass", "cannot be imported: "),
        ("nodots", "cannot be imported: "),
        ("depict_reco.models.Tenant", "is no authentication class of Django REST framework."),
        ("json.dumps", "is no authentication class of Django REST framework."),
    ],
)
def test_a_path_that_leads_to_no_authentication_class_is_reported(configure, path, problem):
    configure(**{CLASSES: [path]})

    assert run()["depict_reco.E004"].msg.startswith(
        f"{path!r} in DEPICT_RECO['API_AUTHENTICATION_CLASSES'] {problem}"
    )


def test_other_authentication_classes_are_welcome(configure):
    configure(**{CLASSES: ["rest_framework.authentication.SessionAuthentication"]})

    assert "depict_reco.E004" not in run(deploy=True)


def test_a_storage_must_exist(configure, settings):
    configure(ARTIFACT_STORAGE="bucket")
    message = run()["depict_reco.E005"]
    assert message.msg == "DEPICT_RECO['ARTIFACT_STORAGE'] names no storage: 'bucket'."
    assert message.hint.startswith("STORAGES has 'default', 'staticfiles'.")

    settings.STORAGES = {**settings.STORAGES, "bucket": settings.STORAGES["default"]}
    assert "depict_reco.E005" not in run()


def test_a_folder_that_is_not_there_yet_is_fine(configure, tmp_path):
    configure(ARTIFACT_DIR=str(tmp_path / "a" / "b"))

    assert "depict_reco.W001" not in run()
    assert not (tmp_path / "a").exists(), "a check changes nothing"


def test_a_folder_that_is_a_file_is_reported(configure, tmp_path):
    file = tmp_path / "models"
    file.write_text("")
    for folder in (file, file / "below"):
        configure(ARTIFACT_DIR=str(folder))

        assert str(folder) in run()["depict_reco.W001"].msg


def test_a_folder_without_permission_is_reported(configure, tmp_path, monkeypatch):
    asked = []

    def access(path, mode):
        asked.append((path, mode))
        return False

    monkeypatch.setattr(checks.os, "access", access)  # root may write anywhere
    configure(ARTIFACT_DIR=str(tmp_path / "models"))

    assert "depict_reco.W001" in run()
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


def test_the_folder_does_not_matter_with_a_storage(configure, tmp_path):
    (tmp_path / "file").write_text("")
    configure(ARTIFACT_DIR=str(tmp_path / "file"), ARTIFACT_STORAGE="default")

    assert "depict_reco.W001" not in run()


@pytest.mark.parametrize(
    ("backend", "reported"),
    [
        ("django.core.cache.backends.locmem.LocMemCache", True),
        ("django.core.cache.backends.dummy.DummyCache", True),
        ("django.core.cache.backends.redis.RedisCache", False),
        ("django.core.cache.backends.db.DatabaseCache", False),
    ],
)
def test_a_cache_of_each_process_is_reported_on_deployment(settings, backend, reported):
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://localhost"}}

    assert ("depict_reco.W002" in run(deploy=True)) is reported
    assert "depict_reco.W002" not in run()


def test_the_checks_run_without_being_named_too(configure):
    configure(NONSENSE=1)

    assert "depict_reco.E002" in {message.id for message in run_checks()}


@pytest.mark.parametrize("value", [[], ()])
def test_an_api_that_knows_nobody_is_reported_on_deployment(configure, value):
    configure(**{CLASSES: value})

    assert "depict_reco.W003" in run(deploy=True)
    assert "depict_reco.W003" not in run()


def test_every_check_has_its_paragraph():
    source = Path(checks.__file__).read_text()
    numbers = {
        *(f"E{int(number):03}" for number in re.findall(r"_error\(\s*(\d)", source)),
        *(f"W{int(number):03}" for number in re.findall(r"_warning\(\s*(\d)", source)),
    }

    assert numbers == {*(f"E00{n}" for n in range(1, 8)), *(f"W00{n}" for n in range(1, 9))}
    for number in numbers:
        assert f"\n## depict_reco.{number}\n" in DOCS.read_text()


@pytest.mark.parametrize("key", ["RATE_LIMIT_PER_KEY", "RATE_LIMIT_PER_ADDRESS"])
@pytest.mark.parametrize("value", ["", "600/minute", "10/s"])
def test_a_good_rate(configure, key, value):
    configure(**{key: value})

    assert "depict_reco.E003" not in run()


@pytest.mark.parametrize("key", ["RATE_LIMIT_PER_KEY", "RATE_LIMIT_PER_ADDRESS"])
@pytest.mark.parametrize("value", ["600", "0/s", "fast", 600, None, ["1/s"]])
def test_a_bad_rate(configure, key, value):
    configure(**{key: value})

    assert "must be a rate such as '600/minute', or empty" in run()["depict_reco.E003"].msg


@pytest.mark.parametrize("value", [["10.0.0.0"], ["10.0.0.0/8", "2001:db8::/32"], []])
def test_good_networks(configure, value):
    configure(OPERATIONS_NETWORKS=value)

    assert "depict_reco.E003" not in run()


@pytest.mark.parametrize("value", [["10.0.0.1/8"], ["all"], "10.0.0.0/8", [""], [8]])
def test_bad_networks(configure, value):
    configure(OPERATIONS_NETWORKS=value)

    assert "depict_reco.E003" in run()


def test_a_cache_for_counting_that_does_not_exist(configure):
    configure(RATE_LIMIT_CACHE="counters")

    assert run()["depict_reco.E006"].msg.endswith("names no cache: 'counters'.")


def test_a_cache_for_word_of_changes_that_does_not_exist(configure):
    configure(CHANGES_CACHE="news")

    assert run()["depict_reco.E007"].msg.endswith("names no cache: 'news'.")


@pytest.mark.parametrize(
    ("backend", "reported"),
    [("locmem.LocMemCache", True), ("dummy.DummyCache", True), ("redis.RedisCache", False)],
)
def test_word_of_changes_in_a_cache_of_each_process(configure, settings, backend, reported):
    settings.CACHES = {"news": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    configure(CHANGES_CACHE="news", RATE_LIMIT_CACHE="news")

    assert ("depict_reco.W007" in run()) is reported
    assert "depict_reco.E007" not in run()


def test_a_limit_per_address_needs_to_know_the_proxies(configure):
    configure(RATE_LIMIT_PER_ADDRESS="60/minute")
    assert "depict_reco.W004" in run(deploy=True)
    assert "depict_reco.W004" not in run()

    configure(RATE_LIMIT_PER_ADDRESS="60/minute", TRUSTED_PROXIES=1)
    assert "depict_reco.W004" not in run(deploy=True)


@pytest.mark.parametrize(
    ("engine", "options", "warned"),
    [
        ("django.db.backends.postgresql", {}, True),
        ("django.db.backends.postgresql", None, True),
        ("django.db.backends.postgresql", {"connect_timeout": 2}, False),
        ("django.db.backends.sqlite3", {}, False),
    ],
)
def test_a_database_that_is_waited_for_without_end(configure, monkeypatch, engine, options, warned):
    configure()
    databases = {"default": {"ENGINE": engine, "OPTIONS": options}}
    monkeypatch.setattr(checks, "django_settings", Mock(DATABASES=databases))

    found = {message.id for message in checks.check_database_patience()}
    assert ("depict_reco.W005" in found) is warned


@pytest.mark.parametrize("missing", [blending, filling])
def test_what_could_be_compiled_and_is_not_is_reported_on_deployment(
    configure, monkeypatch, missing
):
    configure()
    monkeypatch.setattr(blending, "compiled", print)
    monkeypatch.setattr(filling, "compiled", print)
    assert "depict_reco.W008" not in run(deploy=True)

    monkeypatch.setattr(missing, "compiled", None)
    assert "depict_reco.W008" in run(deploy=True)
    assert "depict_reco.W008" not in run()
