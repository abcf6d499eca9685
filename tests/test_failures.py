"""What can go wrong while a network is compiled and simulated: one clear line, and nothing left."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from brian2 import Hz, mV

import cbnet
from cbnet.errors import SimulationError
from cbnet.simulation.backends import processes, program, standalone, structure
from cbnet.simulation.job import prepare
from cbnet.support import cache

pytestmark = pytest.mark.skipif(
    bool(standalone.compiler_missing()), reason=f"{standalone.compiler_missing()} not found"
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks for children in /proc"
)
ROOT = Path(cbnet.__file__).resolve().parent.parent
# of the structure that test_simulate.py compiles, too
VALUES = {"K": 100, "a": 0.005, "nu_X": 60 * Hz}
NETWORK = {"N": 1250, "dt": "0.1ms", "seed": 1}


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(**VALUES)


@pytest.fixture
def scratch(monkeypatch, tmp_path):
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def cold(monkeypatch, tmp_path):
    """A cache with nothing in it."""
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path / "cold"))
    return tmp_path / "cold"


def fails(params, message, duration="0.1s", **options):
    with pytest.raises(SimulationError, match=message) as caught:
        cbnet.simulate(params, duration=duration, **(NETWORK | options))
    assert not any(children._running for children in processes._alive)
    return str(caught.value)


def drafts(folder):
    return list(folder.glob("programs/*.draft-*"))


# The compiler


def made_up_compiler(folder, text):
    script = folder / "compiler"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return str(script)


def test_failed_compilation_shows_the_compilers_message(params, scratch, cold, monkeypatch):
    text = 'test "$1" = --version || { echo "fatal error: made up" >&2; exit 1; }'
    monkeypatch.setenv("CXX", made_up_compiler(scratch, text))
    text = fails(params, "^compiling failed")
    assert "fatal error: made up" in text
    assert list(scratch.glob("cbnet-*")) == drafts(cold) == []
    # the sources are kept, and no program
    (entry,) = cache.entries()
    assert entry.description.endswith("(sources)")


@pytest.mark.slow  # compiles
def test_an_error_in_a_header_is_shown(params, scratch, cold, monkeypatch):
    headers = scratch / "cpp"
    shutil.copytree(structure.HEADERS, headers)
    with open(headers / "neurons.h", "a", encoding="ascii") as file:
        file.write("#error this header is broken\n")
    monkeypatch.setattr(structure, "HEADERS", headers)
    text = fails(params, "^compiling failed")
    assert "neurons.h" in text and "this header is broken" in text


def test_compiler_that_is_none(params, cold, monkeypatch, scratch):
    # it says nothing, succeeds, and compiles nothing
    monkeypatch.setenv("CXX", made_up_compiler(scratch, "exit 0"))
    fails(params, "^compiling failed .*\n?.*printed nothing")
    assert drafts(cold) == []


# The cache


def test_a_cache_folder_that_is_a_file(params, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here already")
    monkeypatch.setenv("CBNET_CACHE", str(tmp_path / "file"))
    text = fails(params, "^cache folder .*file: cannot be used")
    assert "\n" not in text
    assert "set CBNET_CACHE to a folder with room that can be written" in text
    assert (tmp_path / "file").read_text() == "here already"


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a file system of some kilobytes and returns where."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size, *options):
        given = ",".join([f"size={size}k", "mode=0700", *options])
        command = ["mount", "-t", "tmpfs", "-o", given, "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no permission to mount a small file system")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_cache(params, small_disk, monkeypatch):
    monkeypatch.setenv("CBNET_CACHE", str(small_disk(100, "ro") / "cache"))
    assert "\n" not in fails(params, "^cache folder .*cannot be used \\(Read-only file system\\)")


@pytest.mark.parametrize("size", [40, 3000], ids=["generating", "compiling"])
def test_full_disk_while_building(params, small_disk, scratch, monkeypatch, size):
    folder = small_disk(size)
    monkeypatch.setenv("CBNET_CACHE", str(folder))
    text = fails(params, "(No space left on device|no space left on the disk)")
    assert "set CBNET_CACHE to a folder" in text
    assert drafts(folder) == []
    assert not any(one.description.endswith("(program)") for one in cache.entries())


@pytest.mark.slow  # compiles
def test_full_disk_while_simulating(params, small_disk, monkeypatch):
    folder = small_disk(2000)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    # traces of 50,000 steps of ten neurons are 4 MB
    text = fails(params, "no space left on the disk", duration="5s", record=10)
    assert "\n" not in text
    assert "set TMPDIR" in text
    assert list(folder.iterdir()) == []


def test_what_is_told_to_a_program_and_cannot_be_written():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this machine")
    with pytest.raises(SimulationError, match="^/dev/full: cannot be written \\(8000 bytes\\)"):
        program.write(full, np.zeros(1000))


# The program


class Killer:
    """Ends the compiled program as soon as it says how far it is."""

    def stage(self, name):
        pass

    def update(self, fraction):
        if 0 < fraction < 1:
            for children in processes._alive:
                for child in children._running:
                    os.kill(child.pid, signal.SIGKILL)


def test_killed_program(params, scratch):
    message = r"^the simulation stopped \(signal 9, SIGKILL: by the system for want of memory"
    text = fails(params, message, duration="100s", progress=Killer())
    assert "\n" not in text
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("truncate -s -4 $2/spikes", "spikes: got 4996 bytes of 1250 numbers; expected 5000"),
        ("rm $2/traces", "traces: No such file or directory"),
        ("rm $2/written", "written: No such file or directory"),
        ("head -n 3 $2/written > $2/x; mv $2/x $2/written", "the run did not finish"),
        (": > $2/last_run_info.txt", r"^the simulation stopped \(exit code 0\)"),
        ("exit 3", r"^the simulation stopped \(exit code 3\)"),
        ("echo 'RuntimeError: odd'", "RuntimeError: odd"),
    ],
)
def test_partial_results_are_refused(params, tmp_path, harm, message):
    job = prepare(params, duration="20ms", record=1, **NETWORK)
    with processes.Children() as children, standalone.program(job, children) as real:
        script = tmp_path / "main"
        script.write_text(f'#!/bin/sh\n{shlex.quote(str(real.folder / "main"))} "$@"\n{harm}\n')
        script.chmod(0o755)
        accumulated, _ = real.run(job, children)
        assert accumulated.traces.shape == (200, 1)
        with pytest.raises(SimulationError, match=message) as caught:
            program.Program(tmp_path, real.manifest).run(job, children)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["main"]


# Other processes


def descendants(pid):
    """Children of a process, their children, and so on."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        found.append((int(folder.name), parent))
    mine, new = {pid}, True
    while new:
        new = {child for child, parent in found if parent in mine} - mine
        mine |= new
    return mine - {pid}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


CODE = """
import sys, cbnet
from brian2 import Hz, mV
params = cbnet.load("conductance").replace(K=100, a=0.005, nu_X=60*Hz)
found = cbnet.simulate(params, 1250, sys.argv[1], dt="0.1ms", seed=1)
print(float(found.rate_E), found.events, found.build_s)
"""


def start(duration, folder, **more):
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), **more}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, duration],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(name, process):
    """Wait until a child of that name is at work, and return all children."""
    for _ in range(1200):
        children = descendants(process.pid)
        if name in map(command, children):
            return children
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    pytest.fail(f"{name} never started")


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("when", ["compiling", "running"])
def test_interrupt_leaves_nothing_behind(params, scratch, tmp_path, when, monkeypatch):
    """Slow: waits for the compiler or, after that has finished once, the program."""
    if when == "compiling":
        monkeypatch.setenv("CBNET_CACHE", str(tmp_path / "cold"))
    process = start("500s", scratch)
    try:
        children = wait_for("cc1plus" if when == "compiling" else "main", process)
        time.sleep(0.3)
        children |= descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode != 0
    assert not any(alive(child) for child in children)
    assert list(scratch.glob("cbnet-*")) == []
    assert drafts(cache.folder()) == []


@pytest.mark.slow
@needs_proc
def test_two_processes_build_once_and_a_killed_build_is_not_used(params, scratch, cold, tmp_path):
    """Slow: compiles twice, the first time in vain."""
    killed = start("0.1s", scratch)
    try:
        children = wait_for("cc1plus", killed)
        killed.kill()
        killed.communicate()
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    assert len(drafts(cold)) == 1
    # two ask at once for what it was making, with a compiler that takes notes
    notes = tmp_path / "notes"
    compiler = made_up_compiler(tmp_path, f'echo "$@" >> {notes}; exec g++ "$@"')
    both = [start("0.1s", scratch, CXX=compiler) for _ in range(2)]
    printed = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    linked = [line for line in notes.read_text().splitlines() if "-o main -lm" in line]
    assert len(linked) == 1
    (first, *counted), (second, *again) = (out.split() for out, _ in printed)
    assert (first, counted[0]) == (second, again[0])
    # with the compiler's own name, the killed build is made anew
    third = start("0.1s", scratch)
    out, said = third.communicate(timeout=300)
    assert third.returncode == 0, said
    assert float(out.split()[0]) > 0
    assert drafts(cold) == []


@pytest.mark.slow  # compiles
def test_a_potential_that_runs_away_within_a_step_is_told():
    leak = "(E_L - v + Delta_T*exp((v - V_T)/Delta_T))/tau_L"
    model = cbnet.Model(
        name="eif",
        equations=f"dv/dt = {leak} : volt (unless refractory)",
        excitatory="v_post += a*(E_E - v_post)",
        inhibitory="v_post += g*a*(E_I - v_post)",
        parameters={"Delta_T": 1 * mV, "V_T": -55 * mV, "theta": -45 * mV},
    )
    params = cbnet.load(model).replace(K=200, a=0.0024)
    with pytest.raises(SimulationError, match="a potential is no number any more"):
        cbnet.simulate(params, N=1000, duration="0.2s", dt="0.1ms")
