"""With Redis between them, machines hear of changes before they ask the database."""

from __future__ import annotations

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


def seconds_until_seen(installation, servers, price, *, within):
    return wait_until(
        lambda: all(shows(installation, server, price) for server in servers),
        seconds=within, what="both see the price",
    )  # fmt: skip


def test_changes_are_seen_before_the_database_is_asked_anyway(installation, servers, staff):
    for price in range(901, 907):
        change(staff, price)
        seconds_until_seen(installation, servers, price, within=1.0)


def test_without_redis_changes_take_as_long_as_the_database_is_not_asked(
    installation, servers, staff
):
    installation.redis.stop()
    try:
        change(staff, 911)
        seconds_until_seen(installation, servers, 911, within=REFRESH_SECONDS + 2)
    finally:
        installation.redis.start()

    def healthy():
        return all(installation.readiness(server) == "ok" for server in servers)

    wait_until(healthy, seconds=30, what="Redis is back")
    change(staff, 912)  # the staff may not know yet that Redis is back
    seconds_until_seen(installation, servers, 912, within=REFRESH_SECONDS + 2)
    wait_until(
        lambda: staff.do(
            "from depict_reco.tenants.outages import outages\n"
            "result = not outages().cache('default').lasts"
        ),
        seconds=30, what="the staff know that Redis is back",
    )  # fmt: skip
    change(staff, 913)
    seconds_until_seen(installation, servers, 913, within=1.0)
