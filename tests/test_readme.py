"""Everything the README tells a reader to type runs as printed; so do the docstrings' examples."""

import doctest
import importlib
import re
import shlex
import warnings
from pathlib import Path

import pytest

import cbnet
from cbnet.cli.app import main
from cbnet.errors import CbnetWarning

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
COMMANDS = [
    line
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
    if line.startswith("cbnet ")
]
PYTHON = [block for language, block in BLOCKS if language == "python"]
COMPILES = ("cbnet simulate", "cbnet figure")
PACKAGE = Path(cbnet.__file__).parent
MODULES = sorted(
    ".".join(("cbnet", *file.relative_to(PACKAGE).with_suffix("").parts))
    for file in PACKAGE.rglob("[!_]*.py")
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory that holds the README's own model."""
    monkeypatch.chdir(tmp_path)
    for block in PYTHON:
        name = re.match(r"# (\w+\.py)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block, "utf-8")
    return tmp_path


def run(line, capsys):
    code = main(shlex.split(line)[1:])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out.strip()


def test_the_readme_has_its_two_set_up_commands():
    setup = [
        line
        for language, block in BLOCKS
        if not language
        for line in block.splitlines()
        if line.startswith("python -m pip")
    ]
    assert setup == [
        "python -m pip install . && cbnet compare",
        "python -m pip install '.[test]' && python -m pytest",
    ]


@pytest.mark.parametrize("line", [c for c in COMMANDS if not c.startswith(COMPILES)])
def test_commands_run_as_printed(line, folder, capsys):
    run(line, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith(COMPILES)])
def test_commands_that_compile_run_as_printed(line, folder, capsys):
    """Slow: each compiles a network."""
    run(line, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_runs_as_printed(block, folder):
    """Slow: one of them compiles a network. An example must not be one that is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CbnetWarning)
        exec(compile(block, str(README), "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
