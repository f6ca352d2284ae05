"""Other frameworks' own code, run piece by piece: they need GPUs' worth of dependencies as a whole, their callers do
not. A framework is found where it is installed, or unpacked where an environment variable says
(`pip download --no-deps verl==0.9.1`, `unzip`, `VIDEOR2_TEST_VERL=<folder>`); else the test is skipped.
"""

import ast
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest


def package(name: str) -> Path:
    """The folder of a framework's package; nothing of it is imported."""
    variable = f"VIDEOR2_TEST_{name.upper()}"
    if variable in os.environ:
        return Path(os.environ[variable]) / name
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{name} is not installed (or set {variable} to where its wheel is unpacked)")
    return Path(next(iter(spec.submodule_search_locations)))


def pieces(file: Path, *names: str, **around: Any) -> dict[str, Any]:
    """Functions, classes, constants and static methods ("Class.method") of a source file by their own name, without
    decorators, compiled from its text. around: the names that they use.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    wanted = [_find(tree, name.split("."), file) for name in names]
    future = ast.ImportFrom(module="__future__", names=[ast.alias("annotations")], level=0)
    module = ast.fix_missing_locations(ast.Module(body=[future, *wanted], type_ignores=[]))
    namespace = dict(around)
    exec(compile(module, str(file), "exec"), namespace)
    return namespace


def _find(tree: Any, path: list[str], file: Path) -> ast.stmt:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if path[0] in (getattr(node, "name", None), *(getattr(target, "id", None) for target in targets)):
            if path[1:]:
                return _find(node, path[1:], file)
            if hasattr(node, "decorator_list"):
                node.decorator_list = []
            found: ast.stmt = node
            return found
    raise AssertionError(f"{file} has no {path[0]}")
