"""From the height of a postsynaptic potential, which papers give, to the efficacy of a string."""


def charge_of_peak(peak, tau_m, tau_s):
    """By how much a synapse would move v without a leak, if its potential has this peak.

    Parameters
    ----------
    peak : float
        Of the potential after one spike, in any unit.
    tau_m, tau_s : float
        Of the membrane and of the exponential current, in one unit; not the same.

    Returns
    -------
    float
        w of ``s += w/tau_s``, ``dv/dt = -v/tau_m + s``; in the unit of `peak`.

    Notes
    -----
    v(t) = w τ_m/(τ_m − τ_s) (e^(−t/τ_m) − e^(−t/τ_s)) is largest at
    t = τ_m τ_s/(τ_m − τ_s) ln(τ_m/τ_s), where it is w (τ_s/τ_m)^(τ_s/(τ_m − τ_s)).

    Examples
    --------
    >>> round(charge_of_peak(0.15, 10, 0.5), 5)
    0.17562
    """
    return peak * (tau_m / tau_s) ** (tau_s / (tau_m - tau_s))
