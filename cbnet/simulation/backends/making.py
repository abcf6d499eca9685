"""Programs of Brian2's C++ standalone mode: sources from a process of their own, compiled once.

Two entries of the cache belong to a program: its sources, found by what they are generated from,
and the binary, found by the text of the sources. A change of cbnet's own files that leaves the
sources as they were compiles nothing.
"""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np

from ...errors import SimulationError
from ...support import cache, compiler
from . import processes, structure
from .program import disk_full

_FOREVER = 1e5  # s: the observer stops the program
_OF_MAKE = ("MAKEFLAGS", "GNUMAKEFLAGS", "MAKEFILES", "MAKELEVEL", "MFLAGS")


# One header that reads all others, compiled once in front.
ALL_HEADERS = (
    '#include "objects.h"\n#include "network.h"\n#include "brianlib/common_math.h"\n'
    "#include <algorithm>\n#include <chrono>\n#include <cmath>\n#include <ctime>\n"
    "#include <climits>\n#include <fstream>\n#include <iostream>\n#include <memory>\n"
    "#include <random>\n#include <string>\n#include <vector>\n"
)


@contextlib.contextmanager
def cached(key, description, generate, children, jobs=None, waiting=None):
    """A compiled program from the cache, or made now; kept as long as it is in use.

    Parameters
    ----------
    key : str
        Hash of all that its sources are generated from.
    description : str
        What it is, in one line.
    generate : callable
        ``generate(folder)`` writes sources and ``manifest.json``.
    children, jobs, waiting
        As of :func:`program`.

    Yields
    ------
    folder : Path
        Of the binary.
    manifest : dict
    """
    with cache.entry(key, generate, f"{description} (sources)", waiting) as sources:
        manifest = json.loads((sources / "manifest.json").read_text())

        def compile_sources(folder):
            compile_program(sources, folder, jobs or os.cpu_count() or 1, children)

        about = f"{description} (program)"
        with cache.entry(manifest["sources"], compile_sources, about, waiting) as made:
            yield made, manifest


def write_in_a_process(folder, children, module, function):
    """Call a function without arguments, which generates sources, in a process of its own there."""
    root = str(Path(sys.modules["cbnet"].__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = children.run(
        [sys.executable, "-c", f"from {module} import {function}; {function}()"],
        cwd=folder,
        # temporary files of Brian2 vanish with the folder, whatever happens
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},
    )
    if done.code != 0 or not (folder / "manifest.json").is_file():
        raise _failed("generating C++", done, folder)


# Most of the time goes into reading the same headers for each of a dozen small files: they are
# compiled once, in front. What is no kernel need not be fast.
_MAKEFILE = """
FLAGS = $(OPTIMISED)
KERNELS = $(patsubst %.cpp,%.o,$(filter code_objects/%,$(SRCS)))
REST = $(patsubst %.cpp,%.o,$(filter-out code_objects/%,$(SRCS)))

program: $(KERNELS) $(REST)
\t$(CXX) $(FLAGS) $^ -o main -lm

$(REST): FLAGS += -O1

%.o: %.cpp all.h.gch
\t$(CXX) $(FLAGS) -I. -Icpp -include all.h -c $< -o $@

all.h.gch: all.h
\t$(CXX) $(OPTIMISED) -I. -Icpp -x c++-header all.h -o all.h.gch
"""


def compile_program(sources, folder, jobs, children):
    """Compile the sources in one folder, which ``manifest.json`` lists, to ``main`` in another."""
    for name in ("static_arrays",):
        if (sources / name).is_dir():
            shutil.copytree(sources / name, folder / name)
    work = folder / "build"
    shutil.copytree(sources, work)
    files = json.loads((work / "manifest.json").read_text())["files"]
    # whatever its name, the folder of the installation is none for make and its shell to read
    shutil.copytree(structure.HEADERS, work / "cpp")
    (work / "cbnet.mk").write_text(_MAKEFILE)
    done = children.run(
        [
            "make",
            "-s",
            "-f",
            "cbnet.mk",
            f"-j{jobs}",
            f"CXX={shlex.join(compiler.command()).replace('$', '$$')}",
            f"OPTIMISED={compiler.FLAGS}",
            f"SRCS={' '.join(files)}",
        ],
        cwd=work,
        env={k: v for k, v in os.environ.items() if k not in _OF_MAKE} | {"TMPDIR": str(work)},
    )
    if done.code != 0 or not (work / "main").is_file():
        raise _failed("compiling", done, folder)
    (work / "main").rename(folder / "main")
    shutil.rmtree(work)


def _failed(what, done, folder):
    full = disk_full(folder, done.output, "CBNET_CACHE")
    why = processes.reason(done.code, done.output)
    return SimulationError(f"{what} failed ({why}){full}:\n{_errors(done.output)}")


def _errors(output):
    """The compiler's first complaints, or the end of what was printed if there are none."""
    lines = output.strip().splitlines()
    if any(line.startswith("Traceback") for line in lines):  # of Python: the reason comes last
        lines = lines[-4:]
    first = next((i for i, line in enumerate(lines) if "error" in line.lower()), None)
    shown = lines[-20:] if first is None else lines[max(0, first - 2) : first + 18]
    return "\n".join(shown) or "the compiler printed nothing"


def begin_program(dt):
    """Let what is made from now on become a program, of time step dt (s) unless a run says else."""
    import brian2

    brian2.prefs.reset_to_defaults()  # the user's own are for the user's programs
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.prefs.core.stop_on_keyboard_interrupt = False
    brian2.defaultclock.dt = dt * brian2.second


def end_program(folder, together, observer):
    """Write the sources of a network which an observer ends.

    Parameters
    ----------
    folder : Path
    together : brian2.Network
    observer : cbnet.simulation.brian.observer.Observer
        Whose run arguments give the time step and the seed.
    """
    import brian2
    from brian2.devices import device

    device.apply_run_args()
    names = {
        name: device.get_array_name(variable)
        for name, variable in (
            ("step", observer.variables["time_step"]),
            ("clock", brian2.defaultclock.variables["dt"]),
            ("seed", observer.variables["brian_seed"]),
        )
    }
    device.insert_code("main", f"{names['clock']}[0] = {names['step']}[0];")
    device.insert_code(
        "main", f"brian::_random_generators[0].seed((unsigned long){names['seed']}[0]);"
    )
    together.run(_FOREVER * brian2.second)
    device.build(directory=str(folder), compile=False, run=False)


def sources_of(folder, brian2_synapses=False):
    """Files that must be compiled; the header that reads all others is written."""
    (folder / "all.h").write_text(ALL_HEADERS)
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*.cpp")
        # Brian2's queue of spikes, a file there since 2.10, serves nobody but its Synapses
        if "brianlib" not in path.parts or brian2_synapses
    )


def array_file(device, variable):
    """File that a program leaves of a variable, and its type."""
    name = os.path.basename(device.get_array_filename(variable))
    return name, np.dtype(variable.dtype).str


def hash_of(folder, files):
    """Of the text of the sources, of cbnet's headers, of the compiler and its flags."""
    found = hashlib.sha256(json.dumps(structure.compiler(), sort_keys=True).encode())
    texts = [folder / name for name in files]
    texts += sorted(folder.rglob("*.h")) + sorted(structure.HEADERS.glob("*.h"))
    texts += sorted((folder / "static_arrays").glob("*"))
    for path in texts:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()
