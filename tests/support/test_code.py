"""The hash of the code: in it is every file that makes a number, and no prose."""

import shutil
from pathlib import Path

import pytest
from cbnet.figures import making

from cbnet import figures
from cbnet.simulation.backends import structure
from cbnet.support import code
from cbnet.sweeps import identity
from tests.test_import_rule import MODULES, imports, inside

KINDS = {"theory": code.THEORY, "simulation": code.SIMULATION}
NAMES_ONLY = ("cbnet.sweeps.identity",)  # of points: makes no number
FILES = (
    *("model/parameters.py", "theory/batch.py", "simulation/run.py", "simulation/times.py"),
    *("simulation/cpp/jumps.h", "sweeps/tasks.py", "sweeps/keep.py", "cli/show.py"),
)
BEGINNINGS = {
    "theory": ("cbnet.theory.self_consistency", "cbnet.theory.response", "cbnet.theory.batch"),
    "simulation": ("cbnet.simulation.run", "cbnet.simulation.event_driven"),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of some files of the package, which may be edited."""
    copy = tmp_path / "cbnet"
    for path in FILES:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(code.__file__).parents[1] / path, copy / path)
    monkeypatch.setattr(code.importlib.resources, "files", lambda name: copy)
    return copy


def of(kind):
    code.of.cache_clear()
    return code.of(*KINDS[kind])


@pytest.fixture(autouse=True)
def afterwards():
    yield
    code.of.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_that_computes_is_in_it(kind):
    found, todo = set(), [*BEGINNINGS[kind], "cbnet.sweeps.tasks"]
    while todo:
        name = todo.pop()
        if name in MODULES and name not in found:
            found.add(name)
            todo += imports(name)
    other = {"theory": "cbnet.simulation", "simulation": "cbnet.theory"}[kind]
    of_cbnet = {n for n in found if not inside(n, "cbnet.models", other, *NAMES_ONLY)}
    assert len(of_cbnet) > 30
    root = MODULES["cbnet"].parent
    paths = {MODULES[name].relative_to(root).as_posix() for name in of_cbnet}
    paths.discard("sweeps/__init__.py")  # which has no code
    assert paths <= set(code.chosen(*KINDS[kind]))


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("simulation/cpp/jumps.h", "simulation"),
        ("simulation/cpp/deeper/down/jumps.h", "simulation"),
        ("simulation/run.py", "simulation"),
        ("theory/neuron/white.py", "theory"),
        ("theory/neuron/__init__.py", "theory"),
        ("model/parameters.py", "theory simulation"),
        ("model/membrane.py", "theory simulation"),
        ("cli/show.py", ""),
    ],
)
def test_a_file_in_any_folder_counts(package, path, changed):
    before = {kind: of(kind) for kind in KINDS}
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + "\nadded = 1\n")
    assert [kind for kind in KINDS if of(kind) != before[kind]] == changed.split()


def test_a_file_that_moves_counts(package):
    before = of("theory")
    (package / "theory" / "deeper").mkdir()
    (package / "theory" / "batch.py").rename(package / "theory" / "deeper" / "batch.py")
    assert of("theory") != before


def test_points_and_programs_know_it(package):
    def known():
        for remembered in (identity.made, structure._environment, code.of):
            remembered.cache_clear()
        return identity.made("simulation")["code"], structure._environment()["code"]

    before = known()
    with (package / "simulation" / "times.py").open("a") as file:
        file.write("added = 1\n")
    after = known()
    identity.made.cache_clear()
    structure._environment.cache_clear()
    assert before[0] != after[0] and before[1] != after[1]


def test_prose_may_be_rewritten(package):
    file = package / "theory" / "batch.py"
    before, text = of("theory"), file.read_text()
    file.write_text('"""Another description."""\n# and a comment\n' + text.partition('"""\n')[2])
    assert file.read_text() != text and of("theory") == before
    file.write_text(text.replace(" + ", " - ", 1))
    assert of("theory") != before


SOURCE = '''
"""A figure."""
from . import shared

CAPTION = "What is seen."
SETTINGS = {"quick": {"K": [100]}}
_FINE = 1

def compute(progress, K):
    """Data."""
    return _inner(K)

def _inner(K):
    return shared.each(K, _FINE)

def draw(data):
    return _line(data)

def _line(data):
    return 3
'''


@pytest.mark.parametrize(
    ("old", "new", "computes_otherwise"),
    [
        ("What is seen", "What one sees", False),
        ("return 3", "return 4", False),
        ("_line(data)", "_curve(data)", False),
        ("Data.", "Numbers.", False),
        ("_FINE = 1", "_FINE = 2  # finer", True),
        ("each(K", "each(K + 1", True),
        ("[100]", "[200]", True),
        ("import shared", "import others as shared", True),
    ],
)
def test_a_figure_is_what_computes_it(old, new, computes_otherwise):
    assert old in SOURCE
    one, other = (
        code.without_prose(text, ("compute", "SETTINGS"))
        for text in (SOURCE, SOURCE.replace(old, new))
    )
    assert (one != other) == computes_otherwise


@pytest.mark.parametrize("name", figures.NAMES)
def test_figures_are_known_by_their_code(name, monkeypatch):
    own = Path(figures.module(name).__file__).read_text()
    assert "compute" in code.without_prose(own, ("compute", "SETTINGS"))
    before, files = making._code(name), code.files

    class Edited:
        def __init__(self, content):
            self.read_bytes = lambda: content

    def edited(path, old, new):
        def of(package):
            found = files(package)
            if path in found and package == "cbnet.figures":
                text = found[path].read_text("utf-8")
                assert old in text
                found[path] = Edited(text.replace(old, new, 1).encode())
            return found

        monkeypatch.setattr(code, "files", of)
        return making._code(name)

    assert edited(f"{name}.py", "\nCAPTION = ", "\nCAPTION = 'More. ' + ") == before
    assert edited("shared.py", "_FEWEST_FOR_A_POOL = 8", "_FEWEST_FOR_A_POOL = 9") != before
    assert edited(f"{name}.py", "\ndef compute(", "\ndef compute(more, ") != before
