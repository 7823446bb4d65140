"""A process that does what it is told: Python, one JSON string a line, its answer likewise.

It is the shop's staff and its cron jobs. ``result`` is what goes back.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.e2e.project")
    import django

    django.setup()
    from django.db import close_old_connections

    for line in sys.stdin:
        close_old_connections()  # the database may have been away since the last line
        names: dict[str, object] = {"result": None}
        try:
            exec("from depict_reco.models import *\n" + json.loads(line), names)  # noqa: S102
            answer = {"result": names["result"]}
        except Exception:
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
