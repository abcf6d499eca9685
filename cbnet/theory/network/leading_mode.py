"""The leading mode of a linearised network."""

import numpy as np

from .characteristic import leading

BIN = 1e-3  # s, of the spike count whose Fano factor is told with a mode
FINER = {"order": 12, "finer": 1.5}  # grid that the first answer is compared with
HIGHEST = 5e3  # Hz: white noise is no picture of the input at shorter times


def highest_of_interest(mean_delays):
    """Frequency in Hz up to which modes are looked for: the inverse of the shortest mean delay."""
    delay = min(mean_delays, default=0.0)
    return float(np.clip(1 / max(delay, 1e-6), 200.0, HIGHEST))


def leading_mode(rough, fine, highest=None):
    """The mode of a network that decays slowest or grows fastest.

    Parameters
    ----------
    rough, fine : Feedback
        The same network on two grids, to estimate the error.
    highest : float, optional
        In Hz: modes of higher frequency count only if they grow. By the delays if not given.

    Returns
    -------
    mode : complex
        In 1/s.
    highest : float
        Highest frequency that was considered, Hz.
    error : float
        Estimated, of the mode, relative to its modulus.
    """
    if highest is None:
        highest = highest_of_interest([link.delay.mean for link in rough.links])
    mode = leading(rough.characteristic(2 * np.pi * highest))
    wide = rough.characteristic(2 * np.pi * HIGHEST)
    grows = mode.real < 0 and not wide.quiet_above(2 * np.pi * highest)
    if grows and wide.count(0.0, wide.right_edge()):
        mode, highest = leading(wide), HIGHEST
    return mode, highest, fine.distance(mode) / (abs(mode) + 1.0)
