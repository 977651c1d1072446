"""A header in a file, for programs that read it from there."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .exceptions import AuthError

if TYPE_CHECKING:
    from .manager import TokenManager

_log = logging.getLogger("cdse_auth")

_START = "Authorization: Bearer "
# Seconds from one look at the manager to the next. It has a new header in good time, whoever asked it for one.
_LOOK = 0.25
_LONGEST_PAUSE = 30.0
# How long the end of the program waits for the thread, which may wait for the service.
_PATIENCE = 2.0


@contextmanager
def header_file(manager: TokenManager, path: str | os.PathLike[str]) -> Iterator[Path]:
    """Keep ``Authorization: Bearer ...`` in a file while a ``with`` block lasts; for GDAL and rasterio.

    Only you can read the file. A thread replaces it atomically: ``expiry_skew`` seconds before the token ends, and soon
    after any other renewal in this process. It is removed at the end, and while no valid token can be had. A forked
    process can read it, and leaves it alone.

    GDAL sends the header to every address that it opens, not only to CDSE: set the option for what needs it, in
    ``rasterio.Env(GDAL_HTTP_HEADER_FILE=path)`` or ``osgeo.gdal.SetPathSpecificOption``.

    Parameters:
        manager: Where the token comes from.
        path: Where to write. A file that this did not write is left as it is.

    Returns:
        The path.

    Raises:
        AuthError: No token could be had.
        FileExistsError: There is another program's file.
        OSError: The file cannot be written.
    """
    file = _HeaderFile(manager, Path(path))
    file.start()
    atexit.register(file.stop)
    try:
        yield file.path
    finally:
        file.stop()
        atexit.unregister(file.stop)


class _HeaderFile:
    def __init__(self, manager: TokenManager, path: Path) -> None:
        self.path = path
        self._manager = manager
        self._written: str | None = None
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cdse-auth header file", daemon=True)

    def start(self) -> None:
        header = self._manager.authorization_header()
        if os.path.lexists(self.path) and not self._is_header():
            raise FileExistsError(f"{self.path} is another program's file; choose another path or remove it")
        self._write(header)
        self._thread.start()

    def stop(self) -> None:
        if self._process != os.getpid():
            return
        self._stopping.set()
        self._thread.join(_PATIENCE)
        with self._lock:
            self._remove()

    def _run(self) -> None:
        pause = _LOOK
        while not self._stopping.wait(pause):
            try:
                header = self._manager.authorization_header()
                with self._lock:
                    if header != self._written and not self._stopping.is_set():
                        self._write(header)
                pause = _LOOK
            except Exception as error:
                _log.warning("%s is not up to date: %s", self.path, error)
                if isinstance(error, AuthError):
                    # There is no valid token: the one in the file has ended.
                    with self._lock:
                        self._remove()
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_header(self) -> bool:
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            return file.read(len(_START)) == _START.encode()

    def _write(self, header: str) -> None:
        # Private from the beginning.
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with open(handle, "w", encoding="ascii") as file:
                file.write(f"Authorization: {header}\n")
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise
        self._written = header

    def _remove(self) -> None:
        # Another process may have put its own in its place.
        with suppress(OSError):
            if self.path.read_text("ascii") == f"Authorization: {self._written}\n":
                self.path.unlink()
        self._written = None
