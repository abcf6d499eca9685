"""Checks of networks with unequal in-degrees: tables and their sums beside direct solutions.

Neurons are drawn from the law of in-degrees, each is solved with white noise
(:func:`cbnet.respond`, itself checked against quadrature), and mean and sd of the rates are made
self-consistent.
"""

import warnings

import numpy as np
from brian2 import Hz
from scipy.stats import norm, qmc

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError

from .coverage_checks import Check
from .random_neurons import draw

SETS, POINTS = 16, 10  # scrambled Sobol sequences, and log2 of their neurons
SILENT = 0.01  # Hz
SMALLEST = 100  # in-degree; sums over partners are taken as Gaussian
STEP = 0.01  # of difference quotients, relative to the mean


class Population:
    """Neurons with in-degrees of their own in a network of their like."""

    def __init__(self, params, neuron, cv, seed):
        self.params, self.neuron = params, neuron
        draws = [
            norm.ppf(qmc.Sobol(5, seed=1000 * seed + k).random_base2(POINTS)) for k in range(SETS)
        ]
        z = np.clip(np.stack(draws), -9, 9)
        means = np.array([neuron.K, neuron.K, neuron.gamma * neuron.K])
        self.k = np.maximum(means * (1 + cv * z[..., :3]), 0)
        self.z = z[..., 3:]

    def rates(self, mean, sd):
        """Of every neuron in Hz, shape (SETS, neurons), where partners have this mean and sd."""
        k_E, k_X, k_I = np.moveaxis(self.k, -1, 0)
        R_E = k_E * mean + k_X * self.neuron.r_E + np.sqrt(k_E) * sd * self.z[..., 0]
        R_I = k_I * mean + np.sqrt(k_I) * sd * self.z[..., 1]
        r_E = np.maximum(R_E, 0) / self.neuron.K
        r_I = np.maximum(R_I, 0) / (self.neuron.gamma * self.neuron.K)
        found = cbnet.respond(self.params, r_E * Hz, r_I * Hz, noise="diffusion", rtol=1e-5)
        return np.asarray(found.rate, float)

    def moments(self, mean, sd):
        """Mean and sd of the rates in each set, shape (SETS, 2)."""
        rates = self.rates(mean, sd)
        return np.stack([rates.mean(1), rates.std(1)], axis=1)


def distribution(seed, index):
    """Mean and sd of rates, and the share of silent neurons."""
    while True:
        neuron = draw(seed + 400, index)
        cv = float(np.random.default_rng((seed, index, 2)).uniform(0.05, 0.3))
        if neuron.K >= SMALLEST and neuron.tau_rp > 0 and neuron.membrane == "lif":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CbnetWarning)
                checks = _checks(neuron, cv, index)
            if checks:
                return checks
        seed += 1000


def _checks(neuron, cv, index):
    params = neuron.params().replace(nu_X=neuron.r_E * Hz)
    try:
        given = cbnet.heterogeneity(params, CV_K=cv, noise="diffusion")
    except ConvergenceError:
        return []
    found = np.array([float(given.rate_mean[0]), float(given.rate_sd[0])])
    if not (given.stable and 0.5 < found[0] < 300):
        return []
    population = Population(params, neuron, cv, index)
    step = STEP * found[0]
    base = population.moments(*found)
    slopes = np.stack(
        [
            (population.moments(*(found + d)).mean(0) - base.mean(0)) / step
            for d in step * np.eye(2)
        ],
        axis=1,
    )
    # Newton's step for the mean over sets; for each set alone it tells the standard error
    moves = np.linalg.solve(np.eye(2) - slopes, (base - found).T).T
    right, sem = found + moves.mean(0), moves.std(0, ddof=1) / np.sqrt(SETS)
    about = f"{neuron!r}, nu_X = r_E, CV_K = {cv!r}"
    stated = float(given.error)
    checks = [
        Check("heterogeneity", name, abs(f - r) / found[0], stated, s / found[0], about)
        for name, f, r, s in zip(("mean", "sd"), found, right, sem, strict=True)
    ]
    silent = (population.rates(*right) < SILENT).mean(1)
    off = abs(float(given.fraction_silent[0]) - silent.mean())
    sem = silent.std(ddof=1) / np.sqrt(SETS)
    return [*checks, Check("heterogeneity", "silent", off, float(given.fraction_error), sem, about)]
