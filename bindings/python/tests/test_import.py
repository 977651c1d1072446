"""What ``import cdse_auth`` costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What takes longer to import than all that the package needs.
_SLOW = {
    *("aiohttp", "eodag", "fsspec", "httpx", "openeo", "pydantic", "pystac_client", "requests", "sentinelhub"),
    *("asyncio", "dataclasses", "inspect", "logging", "multiprocessing", "pathlib"),
    *("socket", "ssl", "subprocess", "tempfile"),
}


def modules(text: str) -> set[str]:
    """The top-level modules that an interpreter has after ``text``."""
    text += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {text}"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_py7_the_import_brings_nothing_slow() -> None:
    assert "cdse_auth" in modules("import cdse_auth")
    assert modules("import cdse_auth") & _SLOW == set()


@pytest.mark.parametrize(("name", "brings"), [("TokenSet", "pydantic"), ("Status", "dataclasses"), ("httpx", "httpx")])
def test_py7_what_is_slow_comes_when_it_is_asked_for(name: str, brings: str) -> None:
    assert brings in modules(f"import cdse_auth; cdse_auth.{name}")


def test_py7_every_public_name_is_there() -> None:
    import cdse_auth

    assert set(cdse_auth.__all__) <= set(dir(cdse_auth))
    assert all(getattr(cdse_auth, name).__doc__ for name in cdse_auth.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cdse_auth.nothing
