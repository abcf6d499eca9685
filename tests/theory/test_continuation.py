"""Branches along a parameter, and folds, against brute-force counts of fixed points."""

import numpy as np
import pytest
from brian2 import Hz, ms

import cbnet
from cbnet import results
from cbnet.errors import ConvergenceError, ParameterError


@pytest.fixture(scope="module")
def bistable():
    """Three states between two folds."""
    return cbnet.load("conductance").replace(g=12)


@pytest.fixture(scope="module")
def followed(bistable):
    return cbnet.continuation(bistable, "nu_X", [5, 20] * Hz, noise="diffusion", points=6)


def states(params, noise="diffusion", rtol=1e-6):
    """How many there are; close to a fold they are known less well, and counted all the same."""
    try:
        return len(cbnet.solve(params, noise=noise, rtol=rtol).fixed_points)
    except ConvergenceError as failure:
        return len(failure.best.fixed_points)


def test_counts_change_at_the_folds_and_nowhere_else(bistable, followed):
    assert len(followed.fold_value) == 2
    low, high = followed.fold_value
    near = 1e-6  # far more than the errors that are claimed
    assert max(followed.fold_error) < near / 100
    for p, count in (
        (5, 1),
        (low * (1 - near), 1),
        (low * (1 + near), 3),
        ((low + high) / 2, 3),
        (high * (1 - near), 3),
        (high * (1 + near), 1),
        (20, 1),
    ):
        assert states(bistable.replace(nu_X=p * Hz)) == count, p


def test_two_states_meet_at_the_rates_of_the_fold(bistable, followed):
    """On either side of where they meet states are as far away as the square root says."""
    for k, inwards in ((0, 1), (1, -1)):
        rate = followed.in_si("fold_rate_E")[k]
        gaps = []
        for near in (1e-5, 1e-7):
            params = bistable.replace(nu_X=followed.fold_value[k] * (1 + inwards * near) * Hz)
            found = cbnet.solve(params, noise="diffusion", rtol=1e-4)
            rates = np.asarray(found.rate_E, float)
            two = np.sort(np.abs(np.log(rates / rate)))[:2]
            gaps.append(two.max())
        assert gaps[0] / gaps[1] == pytest.approx(10, rel=0.05)
        assert gaps[1] < 1e-2


def test_a_bistable_range_is_an_answer(followed):
    assert followed.bistable == [tuple(followed.fold_value)]
    assert followed.stable.tolist() == [True, False, True]
    lower, upper = sorted(map(sorted, followed.fold_branch.tolist()))
    assert (lower, upper) == ([0, 1], [1, 2])
    assert "fold at" in repr(followed) and "unstable" in repr(followed)


def test_branches_are_the_fixed_points(bistable, followed):
    for k, p in enumerate(followed.value):
        here = followed.in_si("rate_E")[:, k]
        found = cbnet.solve(bistable.replace(nu_X=p * Hz), noise="diffusion")
        np.testing.assert_allclose(
            np.sort(here[~np.isnan(here)]), np.asarray(found.rate_E, float), rtol=1e-7
        )
        assert found.stable.tolist() == followed.stable[~np.isnan(here)].tolist()


def test_the_order_of_the_values_does_not_matter(bistable, followed):
    back = cbnet.continuation(bistable, "nu_X", [20, 5] * Hz, noise="diffusion", points=6)
    np.testing.assert_allclose(back.fold_value, followed.fold_value, rtol=1e-10)


def test_neighbours_on_a_branch_are_close(followed):
    x = np.log(np.maximum(followed.in_si("rate_E"), 1e-6))
    # a branch that ends as a fold is reached is followed to the last value before
    assert np.nanmax(np.abs(np.diff(x, axis=1))) <= 1.0


@pytest.mark.parametrize(
    ("name", "values", "count"), [("g", [8, 22], 1), ("K", [300, 3000], 2), ("a", [5e-4, 3e-3], 2)]
)
def test_any_number_may_vary(bistable, name, values, count):
    params = bistable.replace(nu_X=10 * Hz)
    found = cbnet.continuation(params, name, values, noise="diffusion", points=8)
    assert len(found.fold_value) == count
    if name != "K":  # which is whole outside of this
        for p in found.fold_value:
            counts = [states(params.replace(**{name: p * (1 + d)})) for d in (-1e-6, 1e-6)]
            assert sorted(counts) == [1, 3]


@pytest.mark.slow
def test_one_population_may_have_a_value_of_its_own(bistable):
    """States of different populations are sought in the plane, at every value."""
    params = bistable.replace(**{"I.tau_L": 20.5 * ms})
    found = cbnet.continuation(params, "nu_X", [6, 20] * Hz, noise="diffusion", points=4)
    assert len(found.fold_value) == 2
    for p in found.fold_value:
        counts = [states(params.replace(nu_X=p * (1 + d) * Hz)) for d in (-1e-5, 1e-5)]
        assert sorted(counts) == [1, 3]
    assert np.all(found.in_si("fold_rate_E") != found.in_si("fold_rate_I"))
    alone = cbnet.continuation(
        bistable.replace(nu_X=10 * Hz), "I.tau_L", [15, 16] * ms, noise="diffusion", points=2
    )
    assert alone.value_unit == "ms" and alone.value[0] == pytest.approx(15)


def test_no_fold_and_no_bistable_range():
    found = cbnet.continuation(
        cbnet.load("conductance"), "nu_X", [25, 35] * Hz, noise="diffusion", points=3
    )
    assert len(found.fold_value) == 0 and found.bistable == [] and found.stable.tolist() == [True]


def test_results_are_saved_and_read(followed, tmp_path):
    again = results.load(followed.save(tmp_path / "branches.nc"))
    assert again == followed
    assert set(followed.to_dict()) >= {"parameter", "value", "rate_E_Hz", "stable", "fold_value"}


def test_what_cannot_be_followed_is_said(bistable):
    with pytest.raises(ParameterError, match="name: got 'law'"):
        cbnet.continuation(bistable, "law", [1, 2])
    with pytest.raises(ParameterError, match="nu_Y"):
        cbnet.continuation(bistable, "nu_Y", [1, 2] * Hz)
    with pytest.raises(ParameterError, match="nu_X: got 1.*no unit"):
        cbnet.continuation(bistable, "nu_X", [1, 2])
    with pytest.raises(ParameterError, match="values: got 3 values of nu_X"):
        cbnet.continuation(bistable, "nu_X", [1, 3, 2] * Hz)
    with pytest.raises(ParameterError, match="points: got 1"):
        cbnet.continuation(bistable, "nu_X", [1, 2] * Hz, points=1)


@pytest.mark.slow
def test_folds_with_finite_jumps(bistable):
    """Some hundred rates of a few milliseconds each."""
    found = cbnet.continuation(bistable, "nu_X", [8, 14] * Hz, points=4)
    assert found.noise.startswith("shot") and len(found.fold_value) == 2
    near = 5e-3
    assert max(found.fold_error) < 1e-4
    for p in found.fold_value:
        counts = [
            states(bistable.replace(nu_X=p * (1 + d) * Hz), noise="shot", rtol=1e-3)
            for d in (-near, near)
        ]
        assert sorted(counts) == [1, 3]
