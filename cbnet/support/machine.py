"""What this machine offers: versions, a C++ compiler, cores, memory, disk."""

import configparser
import importlib
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from .. import __version__
from ..errors import CbnetError
from . import cache, compiler

NEWEST_PYTHON = (3, 13)  # that cbnet is tested on
MEMORY_GB, DISK_GB = 2.0, 1.0  # what the default comparison needs, with some room
_PATIENCE = 120  # seconds for a program of three lines
_PROGRAM = """#include <cstdio>
#include <vector>
int main() { std::vector<int> three(3); std::printf("%zu " __VERSION__, three.size()); }
"""
_NO_COMPILER = (
    "without it networks are simulated by numpy, many times slower: apt-get install g++ make "
    "(Debian, Ubuntu), dnf install gcc-c++ make (Fedora), xcode-select --install (macOS), or "
    "conda install -c conda-forge cxx-compiler make"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What.
    found : str
        What there is.
    works : bool
        Whether that is enough.
    advice : str
        What to do if it is not, or what to know.
    """

    name: str
    found: str
    works: bool = True
    advice: str = ""


def checks():
    """What cbnet needs of the machine, one after the other.

    Yields
    ------
    Check
    """
    python, required = _requirements()
    yield _python(python)
    yield Check("cbnet", __version__)
    for name, versions in required.items():
        yield _package(name, versions)
    yield from _compiler()
    yield Check("cores", str(_cores()))
    yield _memory()
    yield _disk()
    yield _cache()


def _requirements():
    """Versions of Python and of packages that this cbnet asks for."""
    try:
        about = importlib.metadata.metadata("cbnet")
        python, lines = about["Requires-Python"], importlib.metadata.requires("cbnet")
    except importlib.metadata.PackageNotFoundError:  # used from its folder, not installed
        options = configparser.ConfigParser()
        options.read(Path(__file__).resolve().parents[2] / "setup.cfg", encoding="utf-8")
        python = options["options"]["python_requires"]
        lines = options["options"]["install_requires"].strip().splitlines()
    required = {}
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            versions = required.get(requirement.name, SpecifierSet())
            required[requirement.name] = versions & requirement.specifier
    return SpecifierSet(python), required


def _python(versions):
    found = platform.python_version()
    if not versions.contains(found, prereleases=True):
        return Check("Python", found, False, f"install Python {versions}")
    newest = ".".join(map(str, NEWEST_PYTHON))
    known = tuple(map(int, platform.python_version_tuple()[:2])) <= NEWEST_PYTHON
    return Check("Python", found, advice="" if known else f"cbnet is tested up to {newest}")


def _package(name, versions):
    wanted = f"{name}{versions}"
    mend = f"python -m pip install '{wanted}'"
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "not installed", False, mend)
    if not versions.contains(found, prereleases=True):
        return Check(name, found, False, mend)
    try:
        importlib.import_module(name)
    except Exception as error:  # a broken package can fail in any way
        what = " ".join(f"{type(error).__name__}: {error}".split())
        mend = f"python -m pip install --force-reinstall '{wanted}'"
        return Check(name, f"{found}, cannot be imported ({what})", False, mend)
    return Check(name, found)


def _compiler():
    found = shutil.which("make")
    if found is None:
        yield Check("make", "not found", False, _NO_COMPILER)
    else:
        yield Check("make", _output([found, "--version"])[1].partition("\n")[0])
    command = compiler.command()
    if shutil.which(command[0]) is None:
        yield Check("C++ compiler", f"{shlex.join(command)} not found", False, _NO_COMPILER)
        return
    try:
        with tempfile.TemporaryDirectory(dir=_where_programs_run()) as folder:
            yield _try_compiler(command, Path(folder))
    except OSError as error:
        name = f"{shlex.join(command)}, not tried ({error.strerror})"
        yield Check("C++ compiler", name, False, _ELSEWHERE)


def _where_programs_run():
    try:
        cache.check()
    except CbnetError:  # reported where the cache is checked
        return None
    return cache.folder()


_ELSEWHERE = "set CBNET_CACHE to a folder with room where programs may be written and run"
_TMPDIR = "set TMPDIR to a folder with room"


def _try_compiler(command, folder):
    shown = shlex.join(command)
    (folder / "three.cpp").write_text(_PROGRAM)
    program = folder / "three"
    code, said = _output(
        [*command, *compiler.FLAGS.split(), str(folder / "three.cpp"), "-o", str(program)]
    )
    if code != 0:
        reason = next((line for line in said.splitlines() if "error" in line), said).strip()
        reason = reason or f"exit code {code}"
        name = f"{shown}, cannot compile ({reason})"
        return Check("C++ compiler", name, False, f"mend or replace it; {_NO_COMPILER}")
    code, said = _output([str(program)])
    if code != 0 or not said.startswith("3 "):
        name = f"{shown}, its program does not run ({said.strip() or f'exit code {code}'})"
        return Check("C++ compiler", name, False, _ELSEWHERE)
    return Check("C++ compiler", f"{shown} {said[2:].strip()}")


def _output(command, text=""):
    """Exit code and output of a short program."""
    try:
        done = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # fewer than the machine has, in a container
    return os.cpu_count()


def _memory():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    found, free = f"{total:.1f} GB", total
    status = Path("/proc/meminfo")
    if status.is_file():
        free = int(re.search(r"MemAvailable:\s+(\d+)", status.read_text())[1]) * 1024 / 1e9
        found += f", {free:.1f} GB free"
    enough = free >= MEMORY_GB
    advice = f"the default comparison needs about {MEMORY_GB:g} GB: close programs, or lower -N"
    return Check("memory", found, enough, "" if enough else advice)


def _disk():
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free / 1e9
    enough = free >= DISK_GB
    return Check("disk", f"{free:.1f} GB free in {folder}", enough, "" if enough else _TMPDIR)


def _cache():
    try:
        cache.check()
        found = f"{cache.size() / 1e6:.0f} MB of {cache.limit() / 1e6:.0f} MB in {cache.folder()}"
    except CbnetError as error:
        found, _, advice = str(error).rpartition("; ")
        return Check("cache", found, False, advice)
    return Check("cache", found)
