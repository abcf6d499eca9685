"""Requests and files that nobody would write: an answer or one line, in time, whatever they are.

Every test here makes hundreds of cases, in one process and from fixed seeds; together more than
2000. What would run for long (simulations) is stopped where its request has been checked.
"""

import contextlib
import io
import json
import signal
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cbnet
from cbnet import results
from cbnet.cli import app
from cbnet.errors import CbnetError, SimulationError
from cbnet.support import checksum
from cbnet.sweeps import plan
from cbnet.sweeps.sweep import Sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::cbnet.errors.CbnetWarning"),
]
PATIENCE = 10  # s
ALLOWED = {app.DONE, app.FAILED, app.WRONG_REQUEST, app.INTERRUPTED}


def cases(count):
    """So many cases from a fixed seed."""
    checks = list(HealthCheck)
    return settings(
        max_examples=count, deadline=None, derandomize=True, suppress_health_check=checks,
        database=None,
    )  # fmt: skip


@contextlib.contextmanager
def in_time(what):
    """Fail if it takes longer than ten seconds."""

    def late(number, frame):
        raise AssertionError(f"no answer within {PATIENCE} s: {what}")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def nothing_long(monkeypatch, tmp_path_factory):
    """In a folder of its own, without simulations."""

    def stopped(*arguments, **options):
        raise SimulationError("not run here")

    monkeypatch.chdir(tmp_path_factory.mktemp("fuzz"))
    monkeypatch.setattr("cbnet.simulation.run.run_jobs", stopped)
    monkeypatch.setattr("cbnet.simulation.backends.workshop.run_jobs", stopped)
    monkeypatch.setattr("cbnet.simulation.event_driven.simulate_neuron", stopped)


def words(text, *odd):
    """The words of a text, and what is no such word."""
    return [*text.split(), *odd]


# Command lines

NUMBERS = words(
    """
    0 1 -1 2 3.5 1e-300 1e300 1e999 nan inf 1_000 0x10 07 1e3 2**53 18446744073709551616 ١ ½
    true None [1] 1,2
    """,
    "",
    " ",
)
UNITS = ["", "Hz", "kHz", "ms", "s", "us", "μs", "mV", "V", "volt", "mv", "Hz*ms", "{}", "%"]
WORDS = words(
    """
    fixed gaussian bernoulli explicit linear exponential [/x] diffusion effective kramers
    fast rice ' $HOME
    """,
    '"',
    "a b",
    "\x1b[2J",
    "é" * 300,
)
NAMES = words(
    """
    K gamma a g J_E J_I V_match nu_X r_E r_I tau_L tau_S tau_E tau_rp E_L E_E E_I theta V_r
    D D_min law CV_K jump E.tau_S I.a X.K .K E. model __class__
    """,
    "",
)
MODELS = ["conductance", "current", "conductance", "current", "x.py:y", ".", "", "[", "E" * 300]
value = st.one_of(
    st.builds("".join, st.tuples(st.sampled_from(NUMBERS), st.sampled_from(UNITS))),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
setting = st.builds("{}={}".format, st.sampled_from(NAMES), value)
OPTIONS = {
    "neuron": ["--rtol", "--seed", "--population", "--currents", "--simulate", "--duration"],
    "network": ["--rtol", "--seed", "-N", "--fraction-excitatory"],
    "simulate": [
        "-N",
        "--duration",
        "--transient",
        "--dt",
        "--seed",
        "--graph-seed",
        "--initial",
        "--record",
        "--fraction-excitatory",
        "--storage",
        "--arrivals",
    ],  # fmt: skip
    "script": ["-N", "--duration", "--dt", "--seed", "--initial", "--fraction-excitatory", "--out"],
    "params": [],
    "show": ["--plot", "--nwb"],
    "status": [],
    "sweep": ["--processes", "--memory"],
    "figure": [],
    "cache": [],
    "cite": [],
}


@st.composite
def command_lines(draw):
    command = draw(st.sampled_from(sorted(OPTIONS)))
    line = (
        [command, draw(st.sampled_from(MODELS))] if command not in ("cache", "cite") else [command]
    )
    for _ in range(draw(st.integers(0, 3))):
        line += ["--set", draw(setting)] if OPTIONS[command] else [draw(value)]
    for name in draw(st.lists(st.sampled_from(OPTIONS[command] or ["--x"]), max_size=3)):
        line += [name, draw(value)]
    if command in ("neuron", "network"):  # others take minutes where they are right to
        line += ["--noise", draw(st.sampled_from(["diffusion", "diffusion", "kramers", "?"]))]
    if command == "sweep":
        line.append("--dry-run")
    if command == "figure":
        line[1] = draw(value)
    return [*line, *draw(st.lists(st.sampled_from(["--json", "--quiet", "--zz"]), max_size=2))]


@cases(900)
@given(command_lines())
def test_command_lines(line):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), in_time(line):
        code = app.main(line)
    said = err.getvalue()
    assert code in ALLOWED, (line, code)
    assert "Traceback" not in said and "add --debug" not in said, (line, said)
    if "--json" in line and code == app.DONE:
        json.loads(out.getvalue())


# Grids of sweeps

KEYS = words("""
    model run noise seed seeds N N_E duration record zipped axes set K nu_X scaling dt
    transient keep x
""")
RULES = ["theory", "simulation", "both", "8K", "max(4000, 4*K)", "min()", "K*K*K", "K/0"]
leaf = st.one_of(
    value,
    st.integers(-5, 10**20),
    st.floats(allow_nan=True),
    st.booleans(),
    st.sampled_from([*MODELS, *RULES]),
)
content = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*KEYS, *NAMES, "linspace", "logspace", "range"]), inner,
                        max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip
BASE = {"model": "conductance", "run": "theory", "noise": "diffusion", "axes": {"K": [400, 800]}}


def as_toml(x):
    """A value as TOML writes it."""
    if isinstance(x, bool):
        return str(x).lower()
    if isinstance(x, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in x.items()) + "}"
    if isinstance(x, list):
        return "[" + ", ".join(map(as_toml, x)) + "]"
    return json.dumps(x) if isinstance(x, str) else repr(x)


@cases(800)
@given(st.dictionaries(st.sampled_from([*KEYS, *NAMES]), content, max_size=4))
def test_grids(changes):
    text = "\n".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in {**BASE, **changes}.items())
    with open("grid.toml", "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
    with in_time(text), contextlib.suppress(CbnetError):
        plan.make(Sweep.read("grid.toml").grid)


@cases(100)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_bytes_as_grids(content):
    with open("grid.toml", "wb") as file:
        file.write(content)
    with in_time(content), contextlib.suppress(CbnetError):
        plan.make(Sweep.read("grid.toml").grid)


# Files of results


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    params = cbnet.load("conductance").replace(nu_X="50Hz")
    path = cbnet.solve(params, noise="diffusion").save(tmp_path_factory.mktemp("saved") / "x.nc")
    content = path.read_bytes()
    return content[: content.rindex(b"\ncbnet-sha256")]


changes_of_bytes = st.lists(
    st.tuples(st.integers(0, 2**30), st.binary(min_size=1, max_size=8) | st.just(bytes(512))),
    min_size=1,
    max_size=3,
)


@cases(350)
@given(changes_of_bytes, st.booleans(), st.integers(0, 3))
def test_bytes_of_results(saved, changes, signed, cut):
    content = bytearray(saved)
    for at, new in changes:
        at %= len(content)
        content[at : at + len(new)] = new[: len(content) - at]
    if cut == 0:
        del content[len(content) // 2 :]
    with open("x.nc", "wb+") as file:
        file.write(content)
        if signed:  # by somebody who knows how
            checksum.sign(file)
    with in_time(changes), contextlib.suppress(CbnetError):
        results.load("x.nc")


def test_grids_are_written_as_they_are_meant():
    for x in ({"a": [1, 2.5, True, "ü'\""]}, [], "x", 10**20):
        assert tomllib.loads(f"x = {as_toml(x)}")["x"] == x
