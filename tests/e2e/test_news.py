"""With Redis between them, machines hear of changes before they ask the database."""

from __future__ import annotations

import statistics

import pytest

from tests.e2e.processes import Staff, WebServer, wait_until

pytestmark = pytest.mark.faults

REFRESH_SECONDS = 5.0


@pytest.fixture(scope="module")
def environment(installation):
    return {
        **installation.environment,
        "REFRESH_SECONDS": str(REFRESH_SECONDS),
        "CHANGES_CACHE": "default",
        "PROMETHEUS_MULTIPROC_DIR": str(installation.folder),
    }


@pytest.fixture(scope="module")
def servers(installation, environment):
    """Two machines, with nothing in common but database, Redis and models."""
    started = []
    try:
        for name in ("c", "d"):
            own = environment | {"COPIES_DIR": str(installation.folder / f"copies of {name}")}
            started.append(WebServer(name, installation.folder, own))
            started[-1].start()
        for server in started:
            wait_until(
                lambda server=server: installation.readiness(server) == "ok",
                seconds=60, what="it is ready",
            )  # fmt: skip
        yield started
    finally:
        for server in started:
            server.clean_up()


@pytest.fixture(scope="module")
def staff(environment):
    somebody = Staff(environment | {"DJANGO_SETTINGS_MODULE": "tests.e2e.office"})
    yield somebody
    somebody.clean_up()


def change(staff, price):
    staff.do(
        "Product.objects.filter(market__tenant__slug='acme', product_id='glove-2')"
        f".change(price={price})"
    )


def shows(installation, server, price):
    found = installation.displays(server, limit=128)
    return any(d["product_id"] == "glove-2" and d["price"] == f"{price}.00" for d in found)


def seconds_until_seen(installation, servers, price):
    return wait_until(
        lambda: all(shows(installation, server, price) for server in servers),
        seconds=REFRESH_SECONDS + 10, what="both see the price",
    )  # fmt: skip


def are_told(installation, servers, staff, *, prices):
    """Return whether changes are seen before the database would be asked; one may be late."""
    delays = []
    for price in prices:
        change(staff, price)
        delays.append(seconds_until_seen(installation, servers, price))
    return statistics.median_high(delays) < 1.0


def test_changes_are_seen_before_the_database_is_asked_anyway(installation, servers, staff):
    assert are_told(installation, servers, staff, prices=range(901, 907))


def test_without_redis_changes_take_as_long_as_the_database_is_not_asked(
    installation, servers, staff
):
    installation.redis.stop()
    try:
        change(staff, 911)
        seconds_until_seen(installation, servers, 911)
    finally:
        installation.redis.start()

    def healthy():
        return all(installation.readiness(server) == "ok" for server in servers)

    wait_until(healthy, seconds=30, what="Redis is back")
    change(staff, 912)  # the staff may not know yet that Redis is back
    seconds_until_seen(installation, servers, 912)
    wait_until(
        lambda: staff.do(
            "from depict_reco.tenants.outages import outages\n"
            "result = not outages().cache('default').lasts"
        ),
        seconds=30, what="the staff know that Redis is back",
    )  # fmt: skip
    assert are_told(installation, servers, staff, prices=range(913, 919))
