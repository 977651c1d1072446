"""``import cdse_auth.dropin`` before ``cdse``: from then on ``cdse.auth`` is this package.

Nothing of an installed ``cdse`` is changed, and nobody who does not import this module gets it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

_MODULES = ("manager", "providers", "store")
_NAMES = {"cdse.auth": "cdse_auth", **{f"cdse.auth.{name}": f"cdse_auth.{name}" for name in _MODULES}}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``cdse.auth`` here. A name in ``sys.modules`` is not enough: ``cdse`` would have no attribute ``auth``."""

    def __init__(self) -> None:
        self._specs: dict[str, importlib.machinery.ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _NAMES:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name == "cdse.auth")

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_NAMES[spec.name])
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put its own in its place.
        spec = module.__spec__
        if spec is not None and spec.name in self._specs:
            module.__spec__ = self._specs[spec.name]


def install() -> None:
    """Put it in effect.

    Raises:
        ImportError: A part of ``cdse.auth`` is imported already.
    """
    taken = [name for name in _NAMES if name in sys.modules and sys.modules[name].__name__ != _NAMES[name]]
    if taken:
        raise ImportError(f"{taken[0]} is imported already; import cdse_auth.dropin before anything of cdse")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


install()
