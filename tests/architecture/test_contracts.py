"""The layers of the package: contracts of import-linter hold, cover every package, and hold at run time too."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from importlinter.cli import lint_imports

import surgiplan_desktop

PACKAGE = Path(surgiplan_desktop.__file__).parent
ROOT = PACKAGE.parent
NAME = "surgiplan_desktop"
#: Modules of VTK that draw or take events; the rest computes.
DRAWING = ("vtkmodules.vtkRendering", "vtkmodules.vtkInteraction", "vtkmodules.vtkViews", "vtkmodules.all", "vtk.", "pyvista.")


def contracts() -> list[dict[str, Any]]:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        found: list[dict[str, Any]] = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    return found


def packages() -> set[str]:
    return {f"{NAME}.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}


def test_the_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0, capsys.readouterr().out


def test_a_broken_contract_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "broken.toml"
    config.write_text(
        '[tool.importlinter]\nroot_package = "surgiplan_desktop"\ninclude_external_packages = true\n'
        '[[tool.importlinter.contracts]]\nname = "n"\ntype = "forbidden"\n'
        'source_modules = ["surgiplan_desktop.base"]\nforbidden_modules = ["numpy"]\n'
    )
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(config), no_cache=True) == 1
    assert "numpy" in capsys.readouterr().out


def test_every_package_has_its_layer_and_no_contract_forgets_one() -> None:
    layers = next(contract for contract in contracts() if contract["type"] == "layers")["layers"]
    assert {name.strip() for layer in layers for name in layer.split("|")} == packages()
    allowed = {
        "PySide6": {"gui"},
        "vtk": {"scene", "gui"},
        "pydicom": {"imaging", "files"},
        "onnxruntime": set(),
        "manifold3d": set(),
        "psygnal": {"app"},
    }
    found = {}
    for contract in contracts():
        for library in set(contract.get("forbidden_modules", ())) & set(allowed):
            found[library] = {name.removeprefix(f"{NAME}.") for name in packages() - set(contract["source_modules"])}
    assert found == allowed


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}." for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield f"{node.module}."
            yield from (f"{node.module}.{alias.name}." for alias in node.names)


def test_only_scene_and_gui_name_what_draws() -> None:
    wrong = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("scene", "gui")
        for name in imports(path)
        if name.startswith(DRAWING)
    }
    assert not wrong


_IMPORT_LAYERS = """
import importlib, json, pkgutil, sys
import surgiplan_desktop
loaded = {}
for layer in sys.argv[1:]:
    package = importlib.import_module(f"surgiplan_desktop.{layer}")
    for module in pkgutil.walk_packages(package.__path__, f"surgiplan_desktop.{layer}."):
        importlib.import_module(module.name)
    loaded[layer] = sorted(sys.modules)
print(json.dumps(loaded))
"""


def loaded_after(*layers: str) -> dict[str, set[str]]:
    """Import all modules of the layers in a fresh process; names of all modules loaded after each."""
    answer = subprocess.run(
        [sys.executable, "-c", _IMPORT_LAYERS, *layers], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert answer.returncode == 0, answer.stderr
    return {layer: set(names) for layer, names in json.loads(answer.stdout.splitlines()[-1]).items()}


def has(names: set[str], *libraries: str) -> set[str]:
    return {name for name in names if f"{name}.".startswith(tuple(f"{library}." for library in libraries))}


def test_lower_layers_load_nothing_that_is_not_theirs() -> None:
    low = loaded_after("base", "model", "derive", "geometry")
    for layer, names in low.items():
        assert not has(names, "PySide6", "pydicom", "highdicom", "onnxruntime", "pyvista", "vtk", "psygnal"), layer
        assert not {name for name in names if name.startswith(DRAWING)}, layer
    for layer in ("base", "model", "derive"):
        assert not has(low[layer], "vtkmodules", "SimpleITK", "manifold3d", "scipy", "trimesh"), layer


def test_the_middle_neither_draws_nor_knows_qt() -> None:
    middle = ("imaging", "planning", "segmentation", "phantom", "validation", "files")
    for layer, names in loaded_after(*middle).items():
        assert not has(names, "PySide6", "pyvista", "vtk", "psygnal"), layer
        assert not {name for name in names if name.startswith(DRAWING)}, layer


def test_scene_app_and_command_line_know_no_qt() -> None:
    names = loaded_after("scene", "app")["app"]
    assert not has(names, "PySide6", "pyvistaqt", "qtpy")


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = "import sys, json, surgiplan_desktop.cli.main; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    names = set(json.loads(answer.stdout))
    assert not has(
        names, "PySide6", "vtkmodules", "pyvista", "SimpleITK", "pydicom", "onnxruntime", "scipy", "manifold3d", "trimesh"
    )
