"""The Python object that "module:name" or "file.py:name" means, with what is wrong said in one line.

Looking it up runs the user's own code, with the folder that it is in, or the current one, first on Python's path: as
``python file.py`` and ``python -m module`` do.
"""

import sys
from importlib import import_module, invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType
from typing import Any

from emomod.errors import InputError
from emomod.model.user_code import tell

MOST = 12  # names that are listed


def find_object(origin: str) -> Any:
    """Return what ``origin``, "package.module:name" or "path/to/file.py:name", means.

    InputError where there is no such file, module or name, or the code raises when it is imported.
    """
    where, _, name = origin.rpartition(":")
    if not where or not name:
        raise InputError(f"model must be module:name, file.py:name or file.onnx, got {origin!r}")
    found: Any = _from_file(Path(where)) if where.endswith(".py") else _from_module(where)
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"{where} has no {name!r}; it has {_listed(found)}")
        found = getattr(found, part)
    return found


def _from_module(name: str) -> ModuleType:
    _look_in(Path.cwd())
    invalidate_caches()  # a file may have been written since the folder was looked at
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent is not None and f"{name}.".startswith(f"{absent}."):
            raise InputError(f"there is no module {name}, neither installed nor in the current folder") from None
        raise InputError(f"{name} cannot be imported: {tell(error)}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    _look_in(path.resolve().parent)
    name = f"emomod_model_{path.stem}"  # not the stem: a file may be called as a library is
    spec = spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # as an import does: dataclasses and pickles look for their module there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{path} cannot be imported: {tell(error)}") from error
    return module


def _look_in(folder: Path) -> None:
    """Put a folder first on Python's path, and leave it there: code may import its neighbours when it is called."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _listed(found: Any) -> str:
    """What a module or an object holds that could be meant."""
    names = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
    names = [name for name in names if not isinstance(getattr(found, name), ModuleType)]
    return ", ".join(names[:MOST]) + (", ..." if len(names) > MOST else "") if names else "no names"


def takes_nothing(function: Any) -> bool:
    """True for what can be called without arguments."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    free = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return callable(function) and all(each.default is not Parameter.empty or each.kind in free for each in parameters)
