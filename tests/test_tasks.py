"""Training a market from end to end, whatever comes in between."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError, connection

from depict_reco import tasks
from depict_reco.artifacts import gate, store
from depict_reco.artifacts import publish as publishing
from depict_reco.engine.model import Weights
from depict_reco.exceptions import (
    ArtifactBrokenError,
    TrainingError,
    TrainingMemoryError,
    TrainingRunningError,
)
from depict_reco.models import Artifact, CurrentArtifact, Product, TrainingRun
from depict_reco.signals import training_finished
from depict_reco.tasks import train_market
from depict_reco.training import memory, trainer
from depict_reco.training.pace import Phase
from tests.serving.asking import ask
from tests.shop import make_shop

Status = TrainingRun.Status
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def heard():
    """The runs that were announced as finished."""
    runs = []

    def listen(sender, run, **kwargs):
        runs.append(run)

    training_finished.connect(listen)
    yield runs
    training_finished.disconnect(listen)


def served():
    row = CurrentArtifact.objects.select_related("artifact").first()
    return row.artifact if row else None


def test_a_training_is_published_and_told_of(busy_shop, heard):
    steps = []
    run = train_market(busy_shop, progress=lambda stage, share: steps.append((stage, share)))

    run.refresh_from_db()
    assert (run.status, run.stage, run.message) == (
        Status.PUBLISHED,
        "",
        f"Artifact {served().version}",
    )
    assert (run.events, run.products) == (busy_shop.events.count(), 29)
    assert run.metrics["basket"]["hr@5"] > 0.9
    assert served().training_run == run
    assert heard == [run]
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


def test_a_training_can_be_kept_for_later(busy_shop):
    run = train_market(busy_shop, publish=False)

    assert run.status == Status.SUCCEEDED
    assert served() is None
    assert Artifact.objects.get().training_run == run


def forget_everything(monkeypatch):
    """Let trainings end up with a model that has no answers to what was held out."""
    monkeypatch.setattr(gate, "LEAST_QUESTIONS", 2)
    nothing = {
        entry.name: (0.0,) * len(getattr(Weights(), entry.name)) for entry in fields(Weights)
    }
    monkeypatch.setattr(trainer, "tuned_weights", lambda *a, **kw: Weights(**nothing))


def test_a_model_that_is_worse_than_the_served_one_is_kept_and_not_served(
    trained_shop, monkeypatch
):
    before = served()
    forget_everything(monkeypatch)

    run = train_market(trained_shop)

    assert (run.status, served()) == (Status.SUCCEEDED, before)
    artifact = run.artifacts.get()
    assert run.message.startswith(
        f"Artifact {artifact.version}, worse than {before.version}: next: MRR@20 0.0"
    )
    assert " of the served one; basket: MRR@20 0.0" in run.message
    # a person may know better
    publishing.publish(artifact)
    assert served() == artifact


def test_a_worse_model_is_served_on_demand(trained_shop, monkeypatch):
    forget_everything(monkeypatch)

    run = train_market(trained_shop, force=True)

    assert run.status == Status.PUBLISHED
    assert served().training_run == run
    assert ", worse than " in run.message


def test_a_model_as_good_as_the_served_one_is_served(trained_shop, monkeypatch):
    monkeypatch.setattr(gate, "LEAST_QUESTIONS", 2)

    run = train_market(trained_shop)

    assert (run.status, run.message) == (Status.PUBLISHED, f"Artifact {served().version}")


def test_what_cannot_fit_is_refused_before_anything_is_read(busy_shop, monkeypatch):
    monkeypatch.setattr(memory, "available_mb", lambda: 100)
    monkeypatch.setattr(trainer, "read_dataset", None)

    with pytest.raises(TrainingMemoryError, match="100 MB are available"):
        train_market(busy_shop)

    run = TrainingRun.objects.get()
    assert run.status == Status.FAILED
    assert run.message.startswith("TrainingMemoryError: The training of acme/se needs about ")


def test_a_run_keeps_how_long_its_phases_took(busy_shop):
    run = train_market(busy_shop)

    run.refresh_from_db()
    assert run.durations.keys() == {str(phase) for phase in Phase}
    assert all(seconds >= 0.0 for seconds in run.durations.values())
    span = (run.finished_at - run.started_at).total_seconds()
    assert 0.5 * span < sum(run.durations.values()) < span + 0.1


def test_the_second_training_goes_by_the_first(busy_shop, monkeypatch):
    slow = {"reading events": 600.0, "fitting": 600.0}
    TrainingRun.objects.create(
        market=busy_shop, status=Status.PUBLISHED, events=busy_shop.events.count(), durations=slow
    )
    stages = []

    train_market(busy_shop, progress=lambda stage, share: stages.append(stage))

    assert stages[0] == "reading products, about 20 min left"
    assert stages[1] == "reading events, about 20 min left"
    assert stages[-1] == "publishing"


def test_the_manifest_says_what_tuning_did(busy_shop):
    train_market(busy_shop)

    manifest = served().manifest
    assert manifest["tuning"].keys() == {"questions", "seconds", "allowed"}
    assert manifest["tuning"]["questions"] == trainer.MOST_QUESTIONS
    assert manifest["tuning"]["allowed"] >= manifest["tuning"]["seconds"] >= 0.0
    assert manifest["runaway_events"] == 0


def test_old_versions_are_cleared_out(shop, settings):
    settings.DEPICT_RECO |= {"ARTIFACT_VERSIONS_KEPT": 1}
    train_market(shop)
    train_market(shop)

    assert Artifact.objects.get() == served()
    assert len(store.paths_under(f"{shop.tenant_id}/{shop.pk}")) == 1


def test_failing_to_clear_out_does_not_undo_a_training(shop, monkeypatch, caplog):
    def failing(market):
        raise OSError("read-only file system")

    monkeypatch.setattr(tasks, "prune_artifacts", failing)

    run = train_market(shop)

    assert run.status == Status.PUBLISHED
    assert TrainingRun.objects.get().status == Status.PUBLISHED
    assert "Cannot clear out old artifacts" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), MemoryError("too much")])
def test_whatever_ends_a_training_is_told_and_the_served_model_stays(
    trained_shop, monkeypatch, heard, error
):
    before = served()

    def failing(*args, **kwargs):
        raise error

    monkeypatch.setattr(tasks, "store_model", failing)
    with pytest.raises(type(error)):
        train_market(trained_shop)

    run = TrainingRun.objects.first()
    assert (run.status, run.stage) == (Status.FAILED, "writing the artifact")
    assert run.message.startswith(type(error).__name__)
    assert run.finished_at is not None
    assert [one.pk for one in heard] == [run.pk]
    assert served() == before
    assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(trained_shop, monkeypatch):
    before = served()
    save = FileSystemStorage._save

    def failing(self, name, content):
        if "idf" in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", failing)
    with pytest.raises(OSError, match="No space left"):
        train_market(trained_shop)
    monkeypatch.undo()

    run = TrainingRun.objects.first()
    assert (run.status, run.stage) == (Status.FAILED, "writing the artifact")
    assert run.message == "OSError: [Errno 28] No space left on device"
    assert store.paths_under(f"{trained_shop.tenant_id}/{trained_shop.pk}") == [before.path]
    assert served() == before
    store.verify(before.path)


def test_a_model_that_was_damaged_on_its_way_is_not_served(trained_shop, monkeypatch):
    before = served()
    save = FileSystemStorage._save

    def failing(self, name, content):
        saved = save(self, name, content)
        if "idf" in name:
            file = Path(self.path(saved))
            file.write_bytes(file.read_bytes()[:-1] + b"x")
        return saved

    monkeypatch.setattr(FileSystemStorage, "_save", failing)
    with pytest.raises(ArtifactBrokenError):
        train_market(trained_shop)
    monkeypatch.undo()

    assert TrainingRun.objects.first().status == Status.FAILED
    assert served() == before


def test_nothing_to_train_on_is_told(shop, heard):
    Product.objects.all().delete()

    with pytest.raises(TrainingError):
        train_market(shop)

    assert "TrainingError: acme/se has no products" in TrainingRun.objects.get().message
    assert len(heard) == 1


def test_a_database_that_is_gone_does_not_hide_what_happened(shop, monkeypatch, caplog):
    def failing(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(tasks, "train", failing)
    monkeypatch.setattr(tasks, "finish_run", failing)

    with pytest.raises(OperationalError):
        train_market(shop)
    assert "Cannot note that the training of acme/se failed" in caplog.text


def test_a_training_that_was_taken_over_meanwhile_does_not_publish(trained_shop, monkeypatch):
    before = served()
    monkeypatch.setattr(trainer, "HEARTBEAT_SECONDS", 0.0)
    store_model = publishing.store_model

    def slow(market, trained, *, run):
        artifact = store_model(market, trained, run=run)
        finished = {"status": Status.FAILED, "message": "Interrupted"}
        TrainingRun.objects.filter(pk=run.pk).update(**finished)
        return artifact

    monkeypatch.setattr(tasks, "store_model", slow)
    with pytest.raises(TrainingError, match="taken over"):
        train_market(trained_shop)

    assert served() == before


def test_a_second_training_is_refused_and_the_first_goes_on(busy_shop):
    refused = []

    def meddle(stage, share):
        if stage == "tuning":
            with pytest.raises(TrainingRunningError) as caught:
                train_market(busy_shop)
            refused.append(str(caught.value))

    run = train_market(busy_shop, progress=meddle)

    assert run.status == Status.PUBLISHED
    assert len(refused) == 1
    assert "A training of acme/se is running since" in refused[0]
    assert TrainingRun.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite in memory has one connection")
def test_of_two_trainings_that_start_at_once_one_is_refused(artifact_dir):
    market = make_shop()
    barrier, outcomes = threading.Barrier(2), []

    def start():
        barrier.wait(20)
        try:
            outcomes.append(trainer.start_run(market).status)
        except TrainingRunningError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["refused", "running"]


# Killed


SETTINGS = """
from tests.settings import *
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": {database!r},
        "OPTIONS": {{"timeout": 60}},
    }}
}}
DEPICT_RECO = {{"ARTIFACT_DIR": {artifacts!r}}}
"""

BEGIN = """
import json, os, signal, sys
import django
django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from depict_reco.artifacts import store
from depict_reco.artifacts.current import load_current
from depict_reco.models import *
from depict_reco.tasks import train_market
from tests.shop import add_events, make_shop

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
"""

PREPARE = """
call_command("migrate", verbosity=0)
add_events(make_shop())
train_market(Market.objects.get())
"""

DIE_AT_STAGE = """
train_market(Market.objects.get(), progress=lambda stage, share: stage == {stage!r} and die())
"""

DIE_AT_FILE = """
from django.core.files.storage import FileSystemStorage
save = FileSystemStorage._save
def dying(self, name, content):
    if name.endswith({name!r}):
        die()
    return save(self, name, content)
FileSystemStorage._save = dying
train_market(Market.objects.get())
"""

DIE_BEFORE_COMMIT = """
CurrentArtifact.objects.update_or_create = die
train_market(Market.objects.get())
"""

LOOK = """
def look():
    loaded = load_current(Market.objects.get().pk, known=None)
    runs = TrainingRun.objects.order_by("pk").values_list("status", flat=True)
    return {"version": loaded.version, "degraded": loaded.degraded, "runs": list(runs)}
"""

GO_ON = """
silence = timezone.now() - TrainingRun.SILENCE
TrainingRun.objects.filter(status="running").update(heartbeat_at=silence)
train_market(Market.objects.get())
"""


class Elsewhere:
    """Runs code in processes of their own, on a database file and artifacts of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "elsewhere.py").write_text(
            SETTINGS.format(
                database=str(folder / "db.sqlite3"), artifacts=str(folder / "artifacts")
            )
        )

    def start(self, code: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "elsewhere",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
        }
        return subprocess.Popen(
            [sys.executable, "-c", BEGIN + LOOK + code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, *, expected: int = 0) -> Any:
        """Return what the code prints, read as JSON."""
        process = self.start(code)
        output, errors = process.communicate(timeout=240)
        assert process.returncode == expected, errors
        return json.loads(output or "null")


@pytest.fixture(scope="module")
def trained_elsewhere(tmp_path_factory):
    shop = Elsewhere(tmp_path_factory.mktemp("trained_elsewhere"))
    shop.run(PREPARE)
    yield shop.folder
    shutil.rmtree(shop.folder, ignore_errors=True)


@pytest.fixture
def elsewhere(trained_elsewhere, tmp_path):
    """The small shop, trained once, in a folder and processes of its own."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(trained_elsewhere, folder)
    yield Elsewhere(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    "death",
    [
        DIE_AT_STAGE.format(stage="tuning"),
        DIE_AT_FILE.format(name="idf.npy"),
        DIE_AT_FILE.format(name="manifest.json"),
        DIE_BEFORE_COMMIT,
    ],
    ids=["while it computes", "between two files", "before the manifest", "while it publishes"],
)
def test_a_killed_training_does_no_harm(elsewhere, death):
    elsewhere.run(death, expected=-signal.SIGKILL)

    after, later = elsewhere.run("after = look()" + GO_ON + "print(json.dumps([after, look()]))")

    assert (after["degraded"], after["runs"]) == (False, ["published", "running"])
    assert (later["degraded"], later["runs"]) == (False, ["published", "failed", "published"])
    assert later["version"] > after["version"]


@pytest.mark.slow
def test_trainings_killed_at_any_moment_do_no_harm(elsewhere):
    chance = random.Random(7)
    before = elsewhere.run("print(json.dumps(look()))")
    started = time.monotonic()
    elsewhere.run(GO_ON)
    span = time.monotonic() - started
    for _ in range(5):
        process = elsewhere.start(GO_ON)
        time.sleep(chance.uniform(0.2, 1.0) * span)
        process.kill()
        process.communicate()

        after = elsewhere.run("print(json.dumps(look()))")
        assert not after["degraded"]
        assert after["version"] >= before["version"]
        before = after
    assert elsewhere.run(GO_ON + "print(json.dumps(look()))")["version"] > before["version"]
