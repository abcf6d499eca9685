"""How often a network's determinant has the poles of its gains: those of neurons and of filters.

The count of the zeros of det(1 − M) by the turns of its argument has to know. The order of a pole
follows from who is linked to whom: populations that respond alike to the same arrivals have rows of
M that are proportional, and share a pole instead of adding one each.
"""

import numpy as np

_NEAR = (1e-4, 1e-5)  # distance from a pole at which the order of a generic network is read off


def pole_orders(groups, links):
    """Orders of the poles of det(1 − M(λ)).

    Parameters
    ----------
    groups : sequence of hashable, length P
        Which populations have the same response.
    links : sequence of Link

    Returns
    -------
    filters : list of float
        Time constants τ with a pole at −1/τ, each as often as its order.
    responses : dict
        For each group the order of the poles that its response has.
    """
    rng = np.random.default_rng(0)
    keys = {(groups[link.target], link.modulation) for link in links}
    keys |= {link.delay for link in links} | {link.tau for link in links}
    some = {key: complex(*rng.normal(size=2)) for key in sorted(keys, key=repr)}
    filters = []
    for tau in sorted({link.tau for link in links if link.tau > 0}):
        near = [link.tau == tau for link in links]
        filters += [tau] * _order(groups, links, some, near)
    responses = {}
    for group in {groups[link.target] for link in links}:
        near = [groups[link.target] == group for link in links]
        responses[group] = _order(groups, links, some, near)
    return filters, responses


def _order(groups, links, some, near):
    """With which power |det(1 − M)| grows towards a pole of some links' gains, in general."""
    sizes = []
    for distance in _NEAR:
        M = np.eye(len(groups), dtype=complex)
        for link, close in zip(links, near, strict=True):
            gain = some[groups[link.target], link.modulation] * some[link.delay] * some[link.tau]
            M[link.target, link.source] -= link.number * gain / (distance if close else 1.0)
        sizes.append(np.linalg.slogdet(M)[1])
    return int(round((sizes[1] - sizes[0]) / np.log(_NEAR[0] / _NEAR[1])))
