from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.processes import newest_postgres


@pytest.fixture(scope="session")
def installation():
    """Two web servers on a PostgreSQL and a Redis of their own, all started here."""
    if newest_postgres() is None:
        pytest.skip("no PostgreSQL server is installed here (/usr/lib/postgresql)")
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed here")
    # not below pytest's own folder, which the user postgres may not enter
    folder = Path(tempfile.mkdtemp(prefix="reco-e2e-"))
    folder.chmod(0o755)
    whole = Installation(folder)
    try:
        whole.start()
        yield whole
    finally:
        whole.clean_up()
        shutil.rmtree(folder, ignore_errors=True)
