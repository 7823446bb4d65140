from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from depict_reco.admin import background
from depict_reco.admin.background import CannotStartError, start_command


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_command_runs_in_a_process_of_its_own_with_these_settings(tmp_path):
    """A real process: Django's own diffsettings tells which settings it has."""
    before = time.monotonic()
    start_command("startapp", "fresh_app", str(make(tmp_path / "app")))
    assert time.monotonic() - before < 5
    assert wait_for((tmp_path / "app" / "models.py").exists)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_arguments_are_no_options_and_no_shell_words(monkeypatch):
    calls = []

    class Process:
        def __init__(self, arguments, **options):
            calls.append((arguments, options))

        def wait(self):
            return 0

    monkeypatch.setattr(background.subprocess, "Popen", Process)
    start_command("reco_train", "--help", "$(rm -rf /)", options=("--feed=a b",))
    arguments, options = calls[0]
    assert arguments[1:] == [
        "-m", "django", "reco_train", "--feed=a b", "--", "--help", "$(rm -rf /)",
    ]  # fmt: skip
    assert options.get("shell", False) is False
    assert options["start_new_session"] is True
    assert options["env"]["DJANGO_SETTINGS_MODULE"] == django_settings.SETTINGS_MODULE
    assert options["env"]["OPENBLAS_NUM_THREADS"] == os.environ.get("OPENBLAS_NUM_THREADS", "1")
    assert os.getcwd() in options["env"]["PYTHONPATH"].split(os.pathsep)


def test_last_words_of_a_failing_command_are_logged(caplog):
    start_command("no_such_command")
    assert wait_for(lambda: "no_such_command ended with code 1" in caplog.text)
    assert "Unknown command" in caplog.text


def test_without_settings_module_nothing_is_started(settings):
    settings.SETTINGS_MODULE = None
    with pytest.raises(CannotStartError, match="no settings module"):
        start_command("reco_train")


def test_interpreter_that_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(background, "_python", lambda: "/no/such/python")
    with pytest.raises(CannotStartError, match="cannot be started"):
        start_command("reco_train")


def test_interpreter_is_found_where_the_server_stands_in_for_it(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/sbin/uwsgi")
    assert background._python() == str(Path(sys.prefix, "bin", "python"))
