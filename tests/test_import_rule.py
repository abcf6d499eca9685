"""Who may import whom: theory and simulation must be two independent answers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# How modules stand in the installed package.
PACKAGES = {"cbnet": "cbnet", "models": "cbnet.models", "figures": "cbnet.figures"}


def module_name(path):
    folder, *rest = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGES[folder], *(part for part in rest if part != "__init__")))


MODULES = {module_name(p): p for folder in PACKAGES for p in sorted((ROOT / folder).rglob("*.py"))}


def imports(name):
    """Modules that a module imports anywhere, by their full names; ``a.b`` for b from a as well."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join((*above, *([node.module] if node.module else [])))
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def inside(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def of(*packages):
    return [name for name in MODULES if inside(name, *packages)]


def test_imports_are_read_as_they_are_meant(tmp_path, monkeypatch):
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from ..theory import response\n    import numpy.linalg\n")
    monkeypatch.setitem(MODULES, "cbnet.simulation.x", path)
    assert imports("cbnet.simulation.x") == {
        "cbnet.theory",
        "cbnet.theory.response",
        "numpy.linalg",
    }


def test_there_is_something_to_look_at():
    assert {
        "cbnet.theory.response",
        "cbnet.simulation.brian.network",
        "cbnet.models.current",
    } <= set(MODULES)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cbnet.theory", "cbnet.simulation"), ("cbnet.simulation", "cbnet.theory")],
)
def test_theory_and_simulation_do_not_import_each_other(one, other):
    for name in of(one):
        assert not [i for i in imports(name) if inside(i, other)], name


def test_the_package_imports_no_models_and_no_figures():
    """The library finds models by name, at run time, and no import statement says which."""
    for name in of("cbnet"):
        if not inside(name, "cbnet.models", "cbnet.figures"):
            found = [i for i in imports(name) if inside(i, "cbnet.models", "cbnet.figures")]
            assert not found, name


def test_models_import_strings_and_parameters_only():
    allowed = ("cbnet.model", "cbnet.model.parameters", "cbnet.errors")
    for name in of("cbnet.models"):
        mine = [i for i in imports(name) if inside(i, "cbnet")]
        assert all(inside(i, *allowed) for i in mine), name


def test_plotting_sees_results_only():
    for name in ("cbnet.results.plotting", "cbnet.results.plotting_networks"):
        mine = [i for i in imports(name) if inside(i, "cbnet")]
        assert all(i == "cbnet" or inside(i, "cbnet.results", "cbnet.errors") for i in mine)


def test_only_the_command_line_imports_the_command_line():
    for name in of("cbnet"):
        if not inside(name, "cbnet.cli", "cbnet.__main__"):
            assert not [i for i in imports(name) if inside(i, "cbnet.cli")], name


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count. What is found by name, at run time, is no import."""
    edges = {}
    for name in MODULES:
        found = {_module(full) for full in imports(name)} - {None, name}
        # `from . import x` names the package that a module is in, besides x
        edges[name] = {other for other in found if not inside(name, other)}
    reached = {}

    def follow(name, path):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in reached:
            for other in sorted(edges[name]):
                follow(other, [*path, name])
            reached[name] = True

    assert sum(map(len, edges.values())) > len(MODULES)
    for name in MODULES:
        follow(name, [])


def _module(full):
    """The module that an import reaches; the package alone gives public names."""
    found = full if full in MODULES else full.rpartition(".")[0]
    return found if found in MODULES and found != "cbnet" else None


def test_nothing_private_is_imported():
    """What another module needs is public within the house."""
    for path in [*MODULES.values(), *sorted((ROOT / "tests").rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                private = [a.name for a in node.names if a.name.startswith("_")]
                assert set(private) <= {"__version__"}, path
