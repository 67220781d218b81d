"""The import paths of OpenEnv, each leading to the object of ours that takes its place.

`table` says which. A module of that table is made when it is imported, and a name in it is looked up when it is used,
so that a path costs no more than the room behind it, and every path gives the very same object. A module that is
neither ours nor in the table is not there, and importing it is the ImportError that fallback imports wait for.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["Alias", "AliasFinder", "install"]

_ROOTS = ("openenv.core", "openenv_core.", "openenv.discovery", "openenv.harbor", "openenv.validation")
"""Where the table is looked into at all; the second name is a package of ours with modules of the first."""


class Alias(ModuleType):
    """A module of OpenEnv's: a list of names, each found when it is first used."""

    __all__: list[str]

    def __getattr__(self, name: str) -> object:
        from openenv.compat import table  # it is large, and most programs do without

        if (home := table.names_in(self.__name__).get(name)) is not None:
            module, _, attribute = home.partition(":")
            value: object = getattr(import_module(module), attribute)
        elif table.has_module(child := f"{self.__name__}.{name}"):
            value = import_module(child)
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self.__all__})


class AliasFinder:
    """Finds the modules of the table; one of them stands in `sys.meta_path`."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Say how to load a module of the table; None for every other one.

        Raises:
            ImportError: It is one that we leave out on purpose; the sentence says why, and what there is instead.
        """
        if not fullname.startswith(_ROOTS):
            return None
        from openenv.compat import table  # as above

        if (why := table.left_out(fullname)) is not None:
            # Without a name: `from package import module` would hide the sentence of one that has it.
            raise ModuleNotFoundError(why)
        if not table.has_module(fullname):
            return None
        loader: Any = cls()  # it has what a loader needs, and importlib.abc takes time to import
        return ModuleSpec(fullname, loader, origin=table.__name__, is_package=table.is_package(fullname))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module, still empty."""
        return Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Say what is in it; after a reload its names are looked up anew."""
        from openenv.compat import table  # as above

        names = table.names_in(module.__name__)
        for name in names:
            vars(module).pop(name, None)
        module.__doc__ = f"The names of OpenEnv's {module.__name__}; each is an object of this runtime."
        vars(module)["__all__"] = sorted(names)

    def get_code(self, fullname: str) -> None:
        """There is no code to run; `python -m` asks for it."""


def install() -> None:
    """Have the paths be found, before any folder is searched. Doing it again changes nothing."""
    if not any(getattr(finder, "__name__", None) == AliasFinder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder)
