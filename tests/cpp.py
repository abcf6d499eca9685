"""C++ of cbnet's kernels, compiled by itself and called with ctypes."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import cbnet

COMPILER = os.environ.get("CXX", "g++").split()[0]
HEADERS = Path(cbnet.__file__).parent / "simulation" / "cpp"
WARNINGS = ("-Wall", "-Wextra", "-Werror")


def program(source, folder, *flags):
    """Compile a text against cbnet's headers; the path of what it makes."""
    return _made(source, folder, flags, [], "driver")


def compiled(source, folder, *flags):
    """The same as a shared library."""
    return _made(source, folder, ["-fPIC", *(flags or ("-O2",))], ["-shared"], "driver.so")


def _made(source, folder, flags, how, name):
    """Compiled with some flags, and linked without them.

    What is linked with -ffast-math lets the process that loads it flush the smallest numbers to
    zero, those of Python too, for all that it computes afterwards.
    """
    if not shutil.which(COMPILER):  # optional: without one cbnet simulates in numpy
        pytest.skip(f"no C++ compiler: {COMPILER} is not on the path")
    (folder / "driver.cpp").write_text(source)
    for step in (
        ["-std=c++17", f"-I{HEADERS}", *flags, "-c", "driver.cpp", "-o", "driver.o"],
        [*how, "driver.o", "-o", name],
    ):
        subprocess.run([COMPILER, *step], cwd=folder, check=True)
    return folder / name


def load(source, folder, *flags):
    """The same, loaded; a function returns nothing unless its ``restype`` is set."""
    return Functions(compiled(source, folder, *flags))


class Functions:
    """The functions of a shared library, which take numbers of 8 bytes, arrays and bytes."""

    def __init__(self, path):
        self._library = ctypes.CDLL(str(path))

    def __getattr__(self, name):
        function = self._library[name]
        function.restype = ctypes.c_int64
        return lambda *given: function(*map(_argument, given))


def _argument(given):
    if isinstance(given, np.ndarray):
        if not given.flags.c_contiguous:
            raise TypeError("expected a contiguous array")
        return given.ctypes.data_as(ctypes.c_void_p)
    if isinstance(given, float):
        return ctypes.c_double(given)
    return given if isinstance(given, bytes) else ctypes.c_int64(given)


PROJECTION = r"""
#include "projection.h"

using cbnet::Projection;

extern "C" {
int64_t create() { return reinterpret_cast<int64_t>(new Projection); }
void destroy(Projection *p) { delete p; }

void build(Projection *p, int64_t sources, int64_t targets, int64_t offset, const char *law,
           const char *storage, int64_t in_degree, double cv, double shortest, double longest,
           int64_t seed) {
    p->build({{static_cast<uint32_t>(sources), static_cast<uint32_t>(targets), offset}, law,
              storage, static_cast<uint32_t>(in_degree), cv, shortest, longest,
              static_cast<uint64_t>(seed)});
}

void build_tabulated(Projection *p, int64_t sources, int64_t targets, int64_t offset,
                     const char *law, const char *storage, int64_t in_degree, int64_t total,
                     int64_t shortest, const double *cumulative, int64_t n, int64_t seed) {
    p->build({{static_cast<uint32_t>(sources), static_cast<uint32_t>(targets), offset}, law,
              storage, static_cast<uint32_t>(in_degree), 0.2, static_cast<double>(shortest), 0.0,
              static_cast<uint64_t>(seed), static_cast<uint64_t>(total),
              std::vector<double>(cumulative, cumulative + n)});
}

void build_explicit(Projection *p, int64_t sources, int64_t targets, const int32_t *source,
                    const int32_t *target, const int32_t *delay, int64_t count) {
    p->build({static_cast<uint32_t>(sources), static_cast<uint32_t>(targets), targets}, source,
             target, delay, count);
}

int64_t synapses(Projection *p) { return p->synapses; }
int64_t events(Projection *p) { return p->events; }
int64_t bytes(Projection *p) { return p->bytes; }

void list(Projection *p, int64_t sources, int32_t *source, int32_t *target, int32_t *delay) {
    int64_t k = 0;
    for (int64_t s = 0; s < sources; s++)
        p->synapses_of(s, [&](uint32_t t, int d) {
            if (k == static_cast<int64_t>(p->synapses))
                throw std::length_error("more synapses than there are said to be");
            source[k] = s;
            target[k] = t;
            delay[k++] = d;
        });
    if (k != static_cast<int64_t>(p->synapses))
        throw std::length_error("fewer synapses than there are said to be");
}

void step16(Projection *p, const int32_t *spikes, int64_t n, uint16_t *counts) {
    p->step(spikes, n, counts);
}
void step32(Projection *p, const int32_t *spikes, int64_t n, int32_t *counts) {
    p->step(spikes, n, counts);
}
}
"""


class Projection:
    """A projection in C++, from `sources` to `targets` neurons.

    Source s is target s + `offset`; None if they are different neurons. Without an in-degree it is
    made of `graph`: sources, targets and delays. `cumulative` are probabilities of delays from the
    shortest on; `total` synapses are those of the law "total".
    """

    def __init__(
        self,
        library,
        sources,
        targets,
        law="fixed",
        storage="stored",
        in_degree=None,
        cv=0.0,
        delay=(1.0, 1.0),
        seed=1,
        offset=None,
        graph=None,
        cumulative=None,
        total=0,
    ):
        self._library, self.sources, self.targets = library, sources, targets
        self._it = library.create()
        if graph is not None:
            arrays = [np.ascontiguousarray(a, np.int32) for a in graph]
            library.build_explicit(self._it, sources, targets, *arrays, len(arrays[0]))
            return
        if cumulative is not None:
            of = (law.encode(), storage.encode(), in_degree, total, int(delay[0]), cumulative)
            end = targets if offset is None else offset
            library.build_tabulated(self._it, sources, targets, end, *of, len(cumulative), seed)
            return
        library.build(
            *(self._it, sources, targets, targets if offset is None else offset),
            *(law.encode(), storage.encode(), in_degree, float(cv), *map(float, delay), seed),
        )

    def __del__(self):
        self._library.destroy(self._it)

    def __getattr__(self, name):
        return getattr(self._library, name)(self._it)

    def list(self):
        """Source, target and delay of each synapse."""
        arrays = [np.empty(self.synapses, np.int32) for _ in range(3)]
        self._library.list(self._it, self.sources, *arrays)
        return arrays

    def matrix(self):
        """Number of synapses from each source (row) to each target (column)."""
        source, target, _ = self.list()
        found = np.zeros((self.sources, self.targets), int)
        np.add.at(found, (source, target), 1)
        return found

    def step(self, spikes, counts):
        """Add what arrives in this step to an array of uint16 or int32."""
        of = {"uint16": self._library.step16, "int32": self._library.step32}
        of[counts.dtype.name](self._it, np.ascontiguousarray(spikes, np.int32), len(spikes), counts)
