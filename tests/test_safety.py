"""What a file may do to its reader, whom the cache trusts, what is left of work that ends early."""

import ast
import dataclasses
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from cbnet.figures import keeping

import cbnet
from cbnet import results
from cbnet.cli import app, output
from cbnet.cli.terminal import plain
from cbnet.errors import (
    CbnetWarning,
    DamagedError,
    ModelError,
    ParameterError,
    SavingError,
    SimulationError,
)
from cbnet.simulation.backends import processes
from cbnet.support import cache, checksum, expressions, files, scratch, trial
from cbnet.support.locks import FileLock
from cbnet.sweeps.records import Record

ROOT = Path(__file__).resolve().parent.parent
EVIL = "__import__('os').system('touch owned')"

# Code that is run


def calls(path):
    """Names of what a module calls or imports that could run a text."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func
            found.add(name.id if isinstance(name, ast.Name) else getattr(name, "attr", ""))
            found |= {word.arg for word in node.keywords if word.arg == "allow_pickle"}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name.partition(".")[0] for alias in node.names}
            found.add((getattr(node, "module", "") or "").partition(".")[0])
    return found


RUNS = {"eval", "exec", "__import__", "pickle", "marshal", "shelve", "dill", "cloudpickle"}
RUNS |= {"joblib", "allow_pickle", "sympify", "parse_expr", "unsafe_load", "literal_eval"}
# A model file is code (SECURITY.md); it is run by its loader.
MAY_LOAD = {"library.py": {"exec_module"}}


@pytest.mark.parametrize("folder", ["cbnet", "figures", "models"])
def test_nothing_that_is_read_is_run(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        found = calls(path)
        assert not found & RUNS, path
        assert not found & {"exec_module"} - MAY_LOAD.get(path.name, set()), path


def test_the_walk_over_the_sources_sees_what_it_is_for(tmp_path):
    path = tmp_path / "x.py"
    path.write_text(
        "import pickle\nfrom shelve import open\nnp.load(f, allow_pickle=True)\neval(x)"
    )
    assert {"pickle", "shelve", "allow_pickle", "eval"} <= calls(path)


@pytest.mark.parametrize(
    "text",
    [EVIL, "().__class__", "[c for c in ()]", "a.b", "lambda: 1", "'x'", "f'{a}'", "(a := 1)",
     "1 if a else 2", "a[0]", "print(a)", "{}", "1; 2", "", "a" * 30_000, "(" * 5000, "a @ a",
     "~a"],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused(text):
    with pytest.raises(ValueError):
        expressions.parse(text)({"a": 1.0, "b": 2.0})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*a + b**2/4", 3.0), ("-a < b <= 2", True), ("exp(0) + sqrt(b + 2)", 3.0),
        ("a > 1 or b > 1", True), ("not a < 1", True),
    ],
)  # fmt: skip
def test_arithmetic(text, value):
    assert expressions.parse(text)({"a": 1.0, "b": 2.0}) == value


def test_powers_stay_floats():
    with pytest.raises(OverflowError):
        expressions.parse("9**9**9")({})


def test_functions_of_arrays_are_what_python_makes_of_them():
    source = (
        "def f(v, a, b):\n    x0 = exp(-v/a)\n    x1 = x0 + b\n"
        "    return select([less(v, a), True], [x1*v**2, log1p(x0) - pi], default=nan)\n"
    )
    v = np.linspace(-1, 3, 41)
    x0 = np.exp(-v / 1.5)
    wanted = np.select([v < 1.5, True], [(x0 + 2) * v**2, np.log1p(x0) - np.pi])
    np.testing.assert_array_equal(expressions.numpy_function(source)(v, 1.5, 2.0), wanted)


@pytest.mark.parametrize(
    "source",
    [f"def f(v):\n    return {EVIL}\n", "def f(v):\n    return load('x')\n", "x = 1\n",
     "def f(v):\n    import os\n    return v\n", "def f(v):\n    return fromfile(v)\n",
     "def f(v):\n    return add.outer(v, v)\n", "def f(v):\n    return v.tofile\n"],
)  # fmt: skip
def test_functions_of_arrays_that_do_more_are_refused(source):
    with pytest.raises(ValueError):
        expressions.numpy_function(source)


def test_a_model_of_other_than_arithmetic_is_refused():
    strings = {
        "equations": "dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
        "excitatory": "v_post += a*(E_E - v_post)",
        "inhibitory": "v_post += g*a*(E_I - v_post)",
    }
    for rule, said in ((EVIL, "is no known function"), ("a < missing", "got 'missing' in")):
        with pytest.raises(ModelError, match=said):
            cbnet.Model(name="x", requires=(rule,), **strings)


# Files of results


@pytest.fixture
def response(tmp_path):
    params = cbnet.load("conductance").replace(r_E="30Hz", r_I="12Hz")
    return cbnet.respond(params, noise="diffusion").save(tmp_path / "x.nc")


def edited(path, change):
    """Edit a file of results as somebody would who knows of its checksums."""
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\ncbnet-sha256")])
    with h5py.File(path, "r+") as file:
        change(file)
        del file.attrs["checksum"]
    return path


def test_a_crafted_file_runs_nothing(response, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def change(file):
        stored = json.loads(file.attrs["parameters"])
        stored["model"]["requires"] = [EVIL]
        file.attrs["parameters"] = json.dumps(stored)

    with pytest.warns(CbnetWarning, match="no checksum"), pytest.raises(ModelError):
        results.load(edited(response, change))
    assert not Path("owned").exists()


def test_arrays_of_objects_are_refused(response):
    def change(file):
        kind = h5py.vlen_dtype(np.dtype("u1"))
        file.create_dataset("odd", (2,), dtype=kind)

    with pytest.raises(ParameterError, match="objects|cannot be read"):
        results.load(edited(response, change))


def test_work_that_never_ends_or_ends_the_process_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"x")
    trial.run(lambda path: None, path)
    monkeypatch.setattr(trial, "PATIENCE", 0.3)
    with pytest.raises(OSError, match=r"longer than 0\.3 s"):
        trial.run(lambda path: time.sleep(60), path)
    with pytest.raises(OSError, match="ends the process"):
        trial.run(lambda path: os.kill(os.getpid(), signal.SIGSEGV), path)
    with pytest.raises(OSError, match="allocate|memory|MemoryError"):
        trial.run(lambda path: np.ones(10**10), path)
    with pytest.raises(OSError, match="my words"):
        trial.run(lambda path: (_ for _ in ()).throw(RuntimeError("my words")), path)


# Writing


def test_every_writer_gets_a_name_of_its_own(tmp_path):
    threads = [
        threading.Thread(target=files.write_new, args=(tmp_path / "x.txt", f"{k}"))
        for k in range(20)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {path.read_text() for path in tmp_path.iterdir()} == {f"{k}" for k in range(20)}
    assert (tmp_path / "x.txt").exists() and (tmp_path / "x-20.txt").exists()


def test_a_taken_name_is_not_written_over(tmp_path):
    path = tmp_path / "x"
    path.write_text("mine")
    with pytest.raises(ParameterError, match="exists already"):
        files.write(path, "other")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ParameterError, match="exists already"):
        files.write(tmp_path / "link", "other")
    assert files.write(path, "other", overwrite=True).read_text() == "other"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "x"]


def test_a_file_system_without_links(tmp_path, monkeypatch):
    def link(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert [files.write_new(tmp_path / "x", "1").name for _ in range(2)] == ["x", "x-2"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    def full(file):
        file.write(b"some")
        raise OSError(28, "No space left on device")

    with pytest.raises(SavingError, match="No space left"):
        files.write(tmp_path / "x", full)
    assert list(tmp_path.iterdir()) == []


def test_netcdf_that_meets_a_full_disk_is_an_error(tmp_path, response):
    """HDF5 itself would end the process."""

    class Full:
        def __init__(self, file):
            self.file, self.left = file, 3000

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.left -= len(data)
            if self.left < 0:
                raise OSError(28, "No space left on device")
            return self.file.write(data)

    fill = files.netcdf(results.load(response).to_xarray())
    with pytest.raises(SavingError, match="No space left"):
        files.write(tmp_path / "y.nc", lambda file: fill(Full(file)))


def test_drafts_of_the_dead_are_removed(tmp_path):
    draft = tmp_path / ".draft-0"
    code = f"import fcntl, time; f = open({str(draft)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
    child = subprocess.Popen([sys.executable, "-c", code + "print(1, flush=True); time.sleep(60)"],
                             stdout=subprocess.PIPE)  # fmt: skip
    with child:
        child.stdout.readline()
        os.utime(draft, (1, 1))
        files.clear(tmp_path)
        assert draft.exists()
        child.kill()
    files.clear(tmp_path)
    assert not draft.exists()


def test_folders_of_the_dead_are_removed(tmp_path):
    code = (
        "import os; from cbnet.support import scratch; from pathlib import Path\n"
        f"one = scratch.Folder('x-', {str(tmp_path)!r}); (one.path / 'a').touch()\n"
        "print(one.path, flush=True); os.kill(os.getpid(), 9)"
    )
    left = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
                .stdout.strip())  # fmt: skip
    mine = scratch.Folder("x-", tmp_path)
    assert left.is_dir()  # as young as one that is not locked yet
    replaced = tmp_path / "x-1"
    (replaced / "old").mkdir(parents=True)
    for one in (left, mine.path, replaced):
        os.utime(one, (1, 1))
    scratch.Folder("x-", tmp_path).remove()
    assert sorted(tmp_path.iterdir()) == sorted([mine.path, replaced])
    mine.remove()
    assert not mine.path.exists()


def test_long_names_of_models_make_short_names_of_files():
    model = dataclasses.replace(cbnet.load("current").model, name="é" * 300)
    name = output.file_name("simulate", dataclasses.replace(cbnet.load("current"), model=model))
    assert len(f"{name}-999.nc".encode()) < 255


@pytest.mark.parametrize("changed", [b"[]", b"5", b"{}", b'{"kind": []}', b'{"kind": "other"}'])
def test_points_that_are_none(changed):
    body = changed + b"\n"
    content = b"cbnet-points 1 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    with pytest.raises(DamagedError):
        Record.from_bytes(content)


@pytest.mark.parametrize("line", ["5", "[]", "[1, 2", '[["a"], 1, 2]', "[" * 10**5, "\udcff"])
def test_answers_of_unfinished_figures_that_are_none(tmp_path, line):
    (tmp_path / "x.jsonl").write_bytes(line.encode("utf-8", "surrogateescape"))
    with keeping.until_finished(tmp_path, {}):
        assert keeping.answers("x") == {}


def test_locks_do_not_follow_links(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):
        FileLock(tmp_path / "lock").take()
    assert (tmp_path / "precious").read_text() == "precious"


# The cache


@pytest.fixture
def cold(monkeypatch, tmp_path):
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_is_for_its_user_alone(cold):
    cache.text("0a", lambda: 1)
    assert cold.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("part", ["", "programs", "texts"])
def test_a_cache_that_others_may_write_is_not_used(cold, part):
    assert cache.text("0a", lambda: 1) == 1
    (cold / part).chmod(0o777)
    with pytest.warns(CbnetWarning, match="can be written by others"):
        assert cache.text("0a", lambda: 2) == 2
    with pytest.raises(SimulationError, match="cannot be trusted"):
        cache.check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_cache_of_somebody_else_is_not_used(cold):
    assert cache.text("0a", lambda: 1) == 1
    os.chown(cold, 65534, -1)
    with pytest.warns(CbnetWarning, match="belongs to user"):
        assert cache.text("0a", lambda: 2) == 2


def test_what_is_in_the_cache_is_checked_by_content(cold):
    def build(folder):
        (folder / "main").write_text("right")

    with cache.entry("0a", build) as made:
        (made / "main").write_text("wrong")
    with cache.entry("0a", build) as made:
        assert (made / "main").read_text() == "right"


# Processes


def test_children_of_one_are_not_stopped_by_another():
    with processes.Children() as mine:
        with pytest.raises(RuntimeError), processes.Children():
            raise RuntimeError
        assert mine.run(["echo", "here"], "/").output == "here\n"
        mine.cancel()
        with pytest.raises(SimulationError, match="interrupted"):
            mine.run(["echo", "here"], "/")
    assert not mine.scratch.exists()


def test_nothing_is_left_of_a_killed_process(tmp_path):
    code = (
        "from cbnet.simulation.backends.processes import Children\n"
        "with Children() as c:\n    print(c.scratch, flush=True)\n    c.run(['sleep', '97'], '/')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "TMPDIR": str(tmp_path)})  # fmt: skip
    with child:
        scratch = Path(child.stdout.readline().strip())
        assert scratch.is_dir()
        time.sleep(0.5)
        child.kill()
    for _ in range(100):
        if not scratch.exists():
            break
        time.sleep(0.1)
    assert not scratch.exists() and list(tmp_path.iterdir()) == []


def test_ends_of_processes_have_words():
    assert processes.reason(3) == "exit code 3"
    assert "want of memory" in processes.reason(-9)
    assert "ulimit -t" in processes.reason(-signal.SIGXCPU)
    assert "ulimit -v" in processes.reason(1, "std::bad_alloc")


def test_who_holds_a_lock(tmp_path):
    lock = FileLock(tmp_path / "x.lock")
    assert lock.take()
    lock.sign()
    assert FileLock(tmp_path / "x.lock").owner() == f"process {os.getpid()}"
    lock.release()


# The terminal


def test_control_characters_do_not_reach_a_terminal():
    assert plain("a\x1b]0;title\x07b\x9b2J\x1b[31mred") == "a?]0;title?b?2J\x1b[31mred"


def test_brackets_in_names_are_names(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text(
        "from cbnet import Model\nmodel = Model(name='net [/v2]',"
        "equations='dv/dt = (E_L - v)/tau_L : volt (unless refractory)',"
        "excitatory='v_post += a*(E_E - v_post)', inhibitory='v_post += g*a*(E_I - v_post)')\n"
    )
    assert app.main(["params", "m.py:model"]) == 0
    assert "net [/v2]" in capsys.readouterr().out


def test_no_word_of_warnings_gets_into_json(tmp_path):
    command = f"exec {sys.executable} -m cbnet neuron conductance --noise kramers --json 2>&-"
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    assert json.loads(done.stdout)["noise"].startswith("kramers")


def test_a_signed_file_says_so(response):
    checksum.check(response)
    assert re.search(rb"\ncbnet-sha256 [0-9a-f]{64}\n$", response.read_bytes())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, a disk without space")
def test_standard_output_on_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "cbnet", "params", "current"], stdout=full,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert done.returncode == app.FAILED
    reason = "No space left on device"
    assert done.stderr == f"cbnet: error: standard output: cannot be written ({reason})\n"


def test_numbers_are_printed_before_a_picture_is_written(tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise SavingError("x.png: cannot be written (No space left on device)")

    path = cbnet.solve(cbnet.load("current"), noise="diffusion").save(tmp_path / "x.nc")
    monkeypatch.setattr("cbnet.support.files.write", full)
    assert app.main(["show", str(path), "--plot", str(tmp_path / "x.png")]) == app.FAILED
    said = capsys.readouterr()
    assert "rate E" in said.out and "x.png: cannot be written" in said.err
