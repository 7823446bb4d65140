"""Long work that a page starts: a management command in a process of its own.

The request does not wait, and the work outlives the request. What becomes of it stands in the
row that the command writes (a training run, a feed run); a command that dies before it can
write one leaves its last words in the log.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

from django.conf import settings

from depict_reco.exceptions import DepictRecoError

logger = logging.getLogger(__name__)

_LAST_WORDS = 4000


class CannotStartError(DepictRecoError):
    """The process cannot be started from here."""


def start_command(name: str, *arguments: str, options: tuple[str, ...] = ()) -> None:
    """Start a management command with this process's settings and return at once.

    No shell reads the arguments, and none of them can be taken for an option.
    """
    module = getattr(settings, "SETTINGS_MODULE", None)
    if not module:
        raise CannotStartError("The project has no settings module that a new process could read.")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": module,
        # beside the web server's own work several threads of BLAS would wait for each other
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    last_words = tempfile.TemporaryFile()  # noqa: SIM115  the watching thread closes it
    try:
        process = subprocess.Popen(  # noqa: S603  a list of arguments, no shell
            [_python(), "-m", "django", name, *options, "--", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=last_words,
            start_new_session=True,
        )
    except OSError as error:
        last_words.close()
        raise CannotStartError(f"The process cannot be started: {error}") from error
    threading.Thread(target=_watch, args=(process, name, last_words), daemon=True).start()


def _python() -> str:
    """Return the interpreter: inside some web servers sys.executable is the server."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    folder = "Scripts" if os.name == "nt" else "bin"
    return str(Path(sys.prefix, folder, "python"))


def _watch(process: subprocess.Popen[bytes], name: str, last_words: IO[bytes]) -> None:
    with last_words:
        if code := process.wait():
            size = last_words.seek(0, os.SEEK_END)
            last_words.seek(max(0, size - _LAST_WORDS))
            text = last_words.read().decode(errors="replace").strip()
            logger.error("%s ended with code %d: %s", name, code, text)
