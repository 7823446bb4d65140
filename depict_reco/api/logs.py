"""For a project's LOGGING: the id of the request in each record, and records as JSON lines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from depict_reco.api.request_ids import current_request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "taskName", "request", "request_id", "server_time",
}  # fmt: skip
"""What every record has; the rest is what somebody passed as ``extra``."""


class RequestIdFilter(logging.Filter):
    """Sets ``request_id`` on each record: of the request that it is about, or empty."""

    def filter(self, record: logging.LogRecord) -> bool:
        about = getattr(record, "request", None)  # Django's own records of refusals and failures
        record.request_id = current_request_id.get() or getattr(about, "reco_request_id", "")
        return True


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON, with everything that was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        line |= {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD and name not in line
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
