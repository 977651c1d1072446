"""A header in a file, for GDAL and rasterio."""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service import Redirect, Service, needs
from support import PASSWORD, USER, Sandbox

import cdse_auth
from cdse_auth import PasswordAuth, TokenManager, header_file


@pytest.fixture
def manager(sandbox: Sandbox) -> TokenManager:
    return TokenManager(PasswordAuth(USER, PASSWORD), http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "header"


@pytest.fixture
def services() -> Iterator[Callable[[Sandbox | None], Service]]:
    running: list[Service] = []

    def start(sandbox: Sandbox | None) -> Service:
        running.append(Service(sandbox))
        return running[-1]

    yield start
    for service in running:
        service.stop()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the thread does; the limit of the run ends a wait for what never comes."""
    while not condition():
        threading.Event().wait(0.01)


def text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def claims(line: str) -> dict[str, int]:
    """What is in the token of a header."""
    part = line.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def line(manager: TokenManager) -> str:
    return f"Authorization: {manager.authorization_header()}\n"


def test_py7_a_header_file_is_private_and_removed_at_the_end(manager: TokenManager, path: Path) -> None:
    with header_file(manager, path) as written:
        assert written == path
        assert text(path) == line(manager)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == []


def test_py7_a_header_file_is_replaced_before_its_token_ends(serve: Callable[..., Sandbox], path: Path) -> None:
    sandbox = serve("--lifetime", "6s")
    provider = PasswordAuth(USER, PASSWORD)
    manager = TokenManager(provider, http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
    with header_file(manager, str(path)):
        first = path.read_text()
        until(lambda: path.read_text() != first)
        # Nobody but the thread has asked.
        second = path.read_text()
        assert claims(second)["iat"] < claims(first)["exp"]
        assert sandbox.accepts(second.strip().removeprefix("Authorization: "))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_py7_a_header_file_follows_a_renewal_in_this_process(manager: TokenManager, path: Path) -> None:
    with header_file(manager, path):
        manager.force_refresh()
        until(lambda: text(path) == line(manager))


def test_py7_a_reader_never_sees_a_part_of_a_header(manager: TokenManager, path: Path) -> None:
    from cdse_auth._header_file import _HeaderFile

    file = _HeaderFile(manager, path)
    lines = {f"Authorization: Bearer {letter * 2000}\n" for letter in "ab"}
    seen: set[str | None] = set()
    file._write("Bearer " + "a" * 2000)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(text(path))

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: bool(seen))
    for letter in "ab" * 200:
        file._write(f"Bearer {letter * 2000}")
    done.set()
    reader.join()
    assert seen <= lines


def test_py7_a_file_of_another_program_is_left_alone(manager: TokenManager, path: Path, tmp_path: Path) -> None:
    path.write_text("of another program")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for taken in (path, tmp_path / "folder", tmp_path / "dangling"):
        with pytest.raises(FileExistsError, match="another program's"), header_file(manager, taken):
            pass
    assert path.read_text() == "of another program"


def test_py7_a_header_that_was_left_behind_is_replaced(manager: TokenManager, path: Path) -> None:
    path.write_text("Authorization: Bearer of-a-program-that-was-killed\n")
    path.chmod(0o644)
    with header_file(manager, path):
        assert text(path) == line(manager)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_py7_what_another_process_has_put_in_its_place_stays(manager: TokenManager, path: Path) -> None:
    with header_file(manager, path):
        path.write_text("Authorization: Bearer of-another-process\n")
    assert text(path) == "Authorization: Bearer of-another-process\n"


def test_py7_without_a_token_there_is_no_file(sandbox: Sandbox, path: Path) -> None:
    wrong = PasswordAuth(USER, "wrong")
    manager = TokenManager(wrong, http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
    with pytest.raises(cdse_auth.exceptions.AuthError, match="wrong user name"), header_file(manager, path):
        pass
    assert list(path.parent.iterdir()) == []


def test_py7_a_folder_that_is_not_there_is_told(manager: TokenManager, path: Path) -> None:
    with pytest.raises(FileNotFoundError), header_file(manager, path / "header"):
        pass


def test_py7_a_token_that_nothing_renews_is_removed_at_its_end(
    serve: Callable[..., Sandbox], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = serve("--lifetime", "2s")
    store = cdse_auth.MemoryTokenStore()
    url = sandbox.token_url
    TokenManager(PasswordAuth(USER, PASSWORD), http=None, token_url=url, store=store).authorization_header()  # type: ignore[arg-type]
    known = store.load()
    assert known is not None
    assert known.refresh_token is not None
    provider = cdse_auth.RefreshTokenAuth(known.refresh_token)
    manager = TokenManager(provider, http=None, token_url=url)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING), header_file(manager, path):
        written = path.read_text()
        sandbox.ask("sessions", method="DELETE")
        until(lambda: text(path) is None)
    assert "is not up to date: the session has ended" in caplog.text
    assert written.split()[-1] not in caplog.text


def test_py7_a_forked_process_leaves_the_file_alone(manager: TokenManager, path: Path) -> None:
    # In a process of its own: the thread of the file is there at the fork, about which Python warns.
    code = """
import os, sys, cdse_auth
provider = cdse_auth.PasswordAuth(*sys.argv[3:])
manager = cdse_auth.TokenManager(provider, http=None, token_url=sys.argv[2])
with cdse_auth.header_file(manager, sys.argv[1]) as path:
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        assert path.exists()
assert path.exists() is (child == 0)
"""
    url = manager._arguments[1]
    run = [sys.executable, "-W", "ignore", "-c", code, str(path), url, USER, PASSWORD]
    subprocess.run(run, check=True, timeout=20)


@pytest.mark.parametrize("end", ["exit", "interrupt"])
def test_py7_the_file_goes_with_the_program(manager: TokenManager, path: Path, end: str) -> None:
    code = """
import ctypes, sys, cdse_auth
provider = cdse_auth.PasswordAuth(*sys.argv[3:])
manager = cdse_auth.TokenManager(provider, http=None, token_url=sys.argv[2])
file = cdse_auth.header_file(manager, sys.argv[1])
file.__enter__()
# Whatever the interpreter collects at its end, this is not among it.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(file))
print(open(sys.argv[1]).read(), flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(path), manager._arguments[1], USER, PASSWORD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().startswith(b"Authorization: Bearer ")
        if end == "exit":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == (0 if end == "exit" else -signal.SIGINT)
    assert os.listdir(path.parent) == []


def test_py7_rasterio_reads_with_the_header(
    sandbox: Sandbox, services: Callable[..., Service], manager: TokenManager, path: Path, tmp_path: Path
) -> None:
    needs("rasterio", whole_module=False)
    import numpy
    import rasterio

    image = tmp_path / "image.tif"
    transform = rasterio.transform.from_origin(0, 1, 1, 1)
    options = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(image, "w", transform=transform, **options) as target:
        target.write(numpy.full((1, 1, 1), 7, dtype="uint8"))
    service, stranger = services(sandbox), services(None)
    service.answers.update({"/image.tif": image.read_bytes(), "/other.tif": image.read_bytes()})
    service.answers["/away.tif"] = Redirect(f"{stranger.url}/image.tif")
    settings = {"GDAL_HTTP_HEADER_FILE": str(path), "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    with header_file(manager, path), rasterio.Env(**settings):
        with rasterio.open(f"/vsicurl/{service.url}/image.tif") as source:
            assert source.read(1).item() == 7
        sandbox.ask("advance", {"seconds": 700})
        manager.force_refresh()
        until(lambda: text(path) == line(manager))
        with rasterio.open(f"/vsicurl/{service.url}/other.tif") as source:
            assert source.read(1).item() == 7
        with pytest.raises(rasterio.errors.RasterioIOError):
            rasterio.open(f"/vsicurl/{service.url}/away.tif")
    assert None not in service.tokens("/image.tif") + service.tokens("/other.tif")
    assert {seen.authorization for seen in stranger.seen} == {None}
