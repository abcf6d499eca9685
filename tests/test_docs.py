"""Every block of code in the documentation runs as printed, or says why it does not.

Blocks of Python run from top to bottom of their page; in blocks without a language, lines that
begin with a command run. ``{code-cell}`` blocks run when Sphinx builds the page. A block after a
comment ``<!-- not run: REASON -->`` does not run.
"""

import inspect
import re
import shlex
from pathlib import Path

import pytest

import cbnet
from cbnet.cli.app import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(
    r"^(?P<mark><!-- not run: [^\n]+ -->\n)?```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COMMANDS = ("cbnet ", "python ", "pip ")
BUILT_BY_SPHINX = ("{code-cell} ipython3", "{toctree}", "{eval-rst}", "{math}")
NO_CODE = ("math", "text", "bibtex", "toml")
SLOW = ("cbnet simulate", "cbnet compare")


def blocks(page):
    return [match.groupdict() for match in BLOCK.finditer(page.read_text("utf-8"))]


def commands(page):
    return [
        line
        for block in blocks(page)
        if not block["language"] and not block["mark"]
        for line in block["text"].splitlines()
        if line.startswith(COMMANDS)
    ]


def python(page):
    return [b["text"] for b in blocks(page) if b["language"] == "python" and not b["mark"]]


def cases(slow):
    return [
        pytest.param(page, line, id=f"{page.stem}: {line}")
        for page in PAGES
        for line in commands(page)
        if line.startswith(SLOW) == slow
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory for a page, with the files that its blocks name in their first line."""
    monkeypatch.chdir(tmp_path)

    def fill(page):
        for text in python(page):
            name = re.match(r"# (\w+\.py)\n", text)
            if name:
                (tmp_path / name[1]).write_text(text, "utf-8")

    return fill


def run(line, capsys):
    program, *arguments = shlex.split(line)
    assert program == "cbnet", f"{line}: mark it with <!-- not run: REASON -->"
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert printed.out.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_of_a_kind_that_runs_or_is_marked(page):
    text = page.read_text("utf-8")
    found = blocks(page)
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(found)
    for block in found:
        known = block["language"] in ("", "python", *NO_CODE)
        built = block["language"].startswith(BUILT_BY_SPHINX)
        assert known or built or block["mark"], block["language"]


@pytest.mark.parametrize("name", [name for name in cbnet.__all__ if not name.startswith("_")])
def test_every_public_name_is_in_the_reference(name):
    public = getattr(cbnet, name)
    there = public.__name__ if inspect.ismodule(public) else f"cbnet.{name}"
    assert re.search(rf"^\.\. auto\w+:: {there}\b", (DOCS / "api.md").read_text("utf-8"), re.M)


@pytest.mark.parametrize(("page", "line"), cases(slow=False))
def test_commands_run_as_printed(page, line, folder, capsys):
    folder(page)
    run(line, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "line"), cases(slow=True))
def test_commands_that_compile_run_as_printed(page, line, folder, capsys):
    """Slow: each compiles a network."""
    folder(page)
    run(line, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if python(p)], ids=lambda page: page.stem)
def test_python_runs_from_top_to_bottom(page, folder):
    """Slow: one of them compiles a network."""
    folder(page)
    names = {"__name__": "page"}
    for text in python(page):
        exec(compile(text, str(page), "exec"), names)
