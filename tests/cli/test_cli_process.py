"""The command line as a process: exit codes, warnings, start-up, signals, compilers."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from cbnet.errors import CbnetWarning, ConvergenceError, ParameterError, SimulationError
from tests.command_line import ROOT, in_process_of_its_own, run

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture
def failing(monkeypatch):
    """Makes ``cbnet cite`` fail in a given way."""

    def fail_with(error):
        def references():
            raise error

        monkeypatch.setattr("cbnet.cli.cite.references", references)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ParameterError("N: got 3;\n expected 4"), 2, "cbnet: error: -N: got 3; expected 4\n"),
        (ConvergenceError("rate: got 1e-3"), 1, "cbnet: error: rate: got 1e-3\n"),
        (SimulationError("failed:\ng++ says"), 1, "cbnet: error: failed:\ng++ says\n"),
        (KeyboardInterrupt(), 130, "cbnet: interrupted: "),
        (ZeroDivisionError("no"), 1, "cbnet: error: ZeroDivisionError: no (add --debug to see"),
        (
            OSError(28, "No space left on device"),
            1,
            "cbnet: error: standard output: cannot be written ",
        ),
    ],
)
def test_exit_codes(failing, error, code, message):
    failing(error)
    found = run("cite")
    assert found[:2] == (code, "")
    assert found[2].startswith(message)
    assert "Traceback" not in found[2]


def test_debug_adds_the_traceback(failing):
    failing(ParameterError("N: got 3"))
    code, out, err = run("cite --debug")
    assert (code, out) == (2, "")
    assert err.startswith("Traceback") and err.endswith("cbnet: error: -N: got 3\n")


def test_a_warning_is_one_line(monkeypatch):
    def references():
        import brian2  # noqa: F401  (takes over warnings when it is imported first)

        warnings.warn("dt: got\n 1 ms", CbnetWarning, stacklevel=1)
        return ()

    monkeypatch.setattr("cbnet.cli.cite.references", references)
    assert run("cite")[2] == "cbnet: warning: dt: got 1 ms\n"
    program = """if True:
        import warnings
        from cbnet.cli import app
        from cbnet.cli import cite
        from cbnet.errors import CbnetWarning
        def references():
            import brian2
            warnings.warn("dt: got 1 ms", CbnetWarning)
            return ()
        cite.references = references
        app.main(["cite"])
    """
    done = in_process_of_its_own("-c", program)
    assert done.stderr == "cbnet: warning: dt: got 1 ms\n"


@pytest.mark.parametrize("line", ["--help", "params conductance", "params current --json", "cite"])
def test_start_up_does_not_import_what_is_slow(line):
    program = """if True:
        import sys
        from cbnet.cli import app
        code = app.main(sys.argv[1:])
        slow = {"brian2", "matplotlib", "scipy", "numpy", "sympy", "xarray"} & set(sys.modules)
        sys.exit(f"imported {slow}" if slow else code)
    """
    done = in_process_of_its_own("-c", program, *line.split())
    assert done.returncode == 0, done.stderr


def test_the_module_runs_and_prints_plain_text_into_a_pipe():
    done = in_process_of_its_own("-m", "cbnet", "params", "conductance")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    done = in_process_of_its_own("-m", "cbnet", "params", "conductance", "--set", "K=-1")
    assert (done.returncode, done.stdout) == (2, "")
    done = in_process_of_its_own(
        "-m", "cbnet", "params", "conductance", env={"PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0 and "tau_L" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_stops_children_and_leaves_nothing(empty_folder, number):
    """Waits for a compiler to be at work."""
    scratch = empty_folder / "scratch"
    scratch.mkdir()
    line = "simulate conductance -N 1250 --set K=100 --out new"
    cold = {"TMPDIR": str(scratch), "CBNET_CACHE": str(scratch / "cache")}
    environment = {**os.environ, **cold, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cbnet", *line.split()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as running:
        try:
            assert running.stderr.readline() == "preparing 1 program\n"
            programs = scratch / "cache" / "programs"
            # until a child has begun to write; os.walk bears that folders vanish meanwhile
            while not any(
                ".draft-" in where and name.endswith(".cpp")
                for where, _, names in os.walk(programs)
                for name in names
            ):
                assert running.poll() is None
                time.sleep(0.05)
            running.send_signal(number)
            rest = running.stderr.read()
            code = running.wait()
        finally:
            running.kill()
    assert code == 130
    assert rest.startswith("cbnet: interrupted: ") and rest.count("\n") == 1
    assert not list(scratch.glob("cbnet-*")) and not list(programs.glob("*.draft-*"))
    assert os.listdir(empty_folder) == ["scratch"]


def test_doctor_finds_a_working_compiler():
    code, out, err = run("doctor --json")
    found = json.loads(out)
    checks = {check["name"]: check for check in found["checks"]}
    assert (code == 0) == found["works"] == all(check["works"] for check in checks.values())
    assert {"Python", "cbnet", "brian2", "numpy", "scipy"} <= set(checks)
    assert {"make", "C++ compiler", "cores", "memory", "disk", "cache"} <= set(checks)


def test_doctor_without_compilers_says_how_to_get_one(empty_folder):
    (empty_folder / "bin").mkdir()
    done = in_process_of_its_own("-m", "cbnet", "doctor", env={"PATH": str(empty_folder / "bin")})
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "does not work: make, C++ compiler" in text
    assert "apt-get" in text and "conda" in text


def test_doctor_finds_a_compiler_that_does_not_compile(empty_folder):
    false = empty_folder / "false++"
    false.write_text("#!/bin/sh\necho 'fatal error: no headers'; exit 1\n")
    false.chmod(0o755)
    done = in_process_of_its_own("-m", "cbnet", "doctor", "--json", env={"CXX": str(false)})
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "fatal error: no headers" in checks["C++ compiler"]["found"]


def test_an_interrupt_that_a_shell_keeps_from_its_background_jobs_does_nothing():
    script = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from cbnet.cli.app import main
sys.argv = ["cbnet", "cite"]
assert main() == 0
import brian2
os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
