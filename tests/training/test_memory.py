from __future__ import annotations

import pytest

from depict_reco.exceptions import TrainingMemoryError
from depict_reco.training import memory
from depict_reco.training.memory import affordable_linear_items, available_mb, needed_mb

MB = 1 << 20


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of which nothing is known yet."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def groups(machine, lines, *, free_mb=9000):
    machine("proc/meminfo", f"MemTotal: 99 kB\nMemAvailable:   {free_mb * 1024} kB\n")
    machine("proc/self/cgroup", lines)


def test_where_nothing_says_there_is_no_limit(machine):
    assert available_mb() is None


def test_a_machine_says_what_it_has_left(machine):
    groups(machine, "")

    assert available_mb() == 9000


def test_a_control_group_and_those_around_it_leave_less(machine):
    groups(machine, "0::/shop/worker\n")
    machine("cgroup/shop/worker/memory.max", "max\n")
    machine("cgroup/shop/worker/memory.current", f"{100 * MB}\n")
    machine("cgroup/shop/memory.max", f"{800 * MB}\n")
    machine("cgroup/shop/memory.current", f"{500 * MB}\n")
    machine("cgroup/shop/memory.stat", f"anon 5\ninactive_file {50 * MB}\nactive_file 9\n")

    assert available_mb() == 350


def test_the_root_counts_where_the_path_is_that_of_the_host(machine):
    groups(machine, "0::/../../host/pod\n")
    machine("cgroup/memory.max", f"{600 * MB}")
    machine("cgroup/memory.current", f"{100 * MB}")

    assert available_mb() == 500


def test_control_groups_of_the_first_version(machine):
    groups(machine, "9:cpu,cpuacct:/a\n4:memory:/shop\n0::/\n")
    machine("cgroup/memory/shop/memory.limit_in_bytes", f"{700 * MB}")
    machine("cgroup/memory/shop/memory.usage_in_bytes", f"{300 * MB}")
    machine("cgroup/memory/shop/memory.stat", f"inactive_file 1\ntotal_inactive_file {10 * MB}\n")
    # no limit is written as a very great number
    machine("cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    machine("cgroup/memory/memory.usage_in_bytes", f"{300 * MB}")

    assert available_mb() == 410


def test_a_group_that_is_full_leaves_nothing(machine):
    groups(machine, "0::/\n")
    machine("cgroup/memory.max", f"{100 * MB}")
    machine("cgroup/memory.current", f"{200 * MB}")

    assert available_mb() == 0


def test_the_setting_goes_before_what_is_found(machine, settings):
    groups(machine, "")
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "TRAINING_MEMORY_MB": 123}

    assert available_mb() == 123


def test_this_very_machine_has_something_left():
    available = available_mb()
    assert available is None or available > 0


def test_the_need_grows_with_events_and_products():
    assert needed_mb(events=0, products=0) == memory.FIXED_MB
    small = needed_mb(events=1_000_000, products=10_000)
    assert needed_mb(events=2_000_000, products=10_000) > small
    assert needed_mb(events=1_000_000, products=20_000) > small


def test_the_linear_model_needs_the_square_of_its_products():
    """Of 12,000 products, 576 MB beside 18 MB for the products and 20.8 MB for the events."""
    assert needed_mb(events=40_000, products=12_000) == 110 + 614_800_000 // MB
    assert needed_mb(events=40_000, products=13_000) == 110 + 616_300_000 // MB
    assert needed_mb(events=200_000, products=30_000) == 110 + 1_749_000_000 // MB
    assert needed_mb(events=0, products=12_000) == 110 + 18_000_000 // MB
    assert needed_mb(events=40_000, products=12_000, linear_items=0) == 110 + 38_800_000 // MB


def test_related_products_are_as_many_as_there_may_be():
    """170 bytes an event; 11,000 bytes of each product that many events tell of."""
    assert needed_mb(events=10_000_000, products=100, linear_items=0) == 110 + 1_701_100_000 // MB


# Refusal


def affordable(shop, monkeypatch, *, available, events=1_000_000, products=40_000):
    monkeypatch.setattr(memory, "available_mb", lambda: available)
    return affordable_linear_items(shop, events=events, products=products, days=60.0)


@pytest.mark.django_db
def test_what_fits_is_let_through(shop, monkeypatch):
    plenty = needed_mb(events=1_000_000, products=40_000)

    assert affordable(shop, monkeypatch, available=plenty + 1) == 20_000
    assert affordable(shop, monkeypatch, available=10 * plenty) == 20_000


@pytest.mark.django_db
def test_the_linear_model_shrinks_before_anything_is_refused(shop, monkeypatch):
    """4 bytes times 10,000 squared are 382 MB; 3,000 products are the fewest."""
    others = needed_mb(events=1_000_000, products=40_000, linear_items=0)

    assert affordable(shop, monkeypatch, available=others + 382) == 10_006
    assert affordable(shop, monkeypatch, available=others + 36) == 3_072
    with pytest.raises(TrainingMemoryError):
        affordable(shop, monkeypatch, available=others + 30)


@pytest.mark.django_db
def test_without_a_limit_nothing_is_refused(shop, monkeypatch):
    assert affordable(shop, monkeypatch, available=None, events=10**12) == 20_000


@pytest.mark.django_db
def test_what_does_not_fit_is_refused_with_a_window_that_would(shop, monkeypatch, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "TRAINING_WINDOW_DAYS": 100}
    needed = needed_mb(events=10_000_000, products=1000)
    half = needed_mb(events=5_000_000, products=1000)
    monkeypatch.setattr(memory, "available_mb", lambda: half)

    with pytest.raises(TrainingMemoryError) as caught:
        affordable_linear_items(shop, events=10_000_000, products=1000, days=60.0)

    message = str(caught.value)
    assert message.startswith(
        f"The training of acme/se needs about {needed:,} MB for 10,000,000 events and 1,000 "
        f"products, and {half:,} MB are available. Set TRAINING_WINDOW_DAYS to "
    )
    days = int(message.split("TRAINING_WINDOW_DAYS to ")[1].split()[0])
    assert days in (29, 30)
    assert "(now 100; the events span 60 days)" in message
    assert message.endswith("set TRAINING_MEMORY_MB.")


@pytest.mark.django_db
def test_no_window_is_advised_where_none_would_do(shop, monkeypatch):
    monkeypatch.setattr(memory, "available_mb", lambda: 10)

    with pytest.raises(TrainingMemoryError, match="more memory: the products alone need so much"):
        affordable_linear_items(shop, events=10, products=1, days=60.0)
