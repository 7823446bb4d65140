"""What the demo must remember and the app does not: the key's secret and the admin's password."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

TENANT = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoState:
    """The secrets of the demo on this machine, and the address that its feeds name."""

    key: str = ""
    admin_password: str = ""
    shop_url: str = ""

    @classmethod
    def load(cls) -> DemoState:
        """Read what an earlier run left; nothing, if that is gone or cannot be read."""
        try:
            return cls(**json.loads(_path().read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self) -> None:
        """Write the secrets to a file that nobody else on this machine may read."""
        path = _path()
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)


def _path() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"  # type: ignore[misc]
