"""Random parameters: every treatment of noise gives a value, or an error with a name."""

import pytest

from benchmarks.sweep_of_parameters import draw, main, sweep
from cbnet.theory.neuron.treatments import METHODS

QUICK = ("diffusion", "effective", *(name for name in METHODS if METHODS[name].formula))


def test_quick_treatments():
    counts, failures, _ = sweep(QUICK, 210)
    assert failures == []
    assert counts.total() == 210
    # errors are not the rule
    assert sum(n for (_, what), n in counts.items() if what.endswith("Error")) < 30


def test_finite_jumps_and_filtered_synapses():
    counts, failures, _ = sweep(("shot", "shot", "shot", "colored"), 20)
    assert failures == []
    assert counts["shot", "value"] + counts["colored", "value"] >= 10


@pytest.mark.slow
def test_more_of_what_is_quick_and_of_finite_jumps():
    """Slow: finite jumps of 30 unusual neurons."""
    _, failures, _ = sweep((*QUICK, "shot"), 240, first=1000)
    assert failures == []


def test_sets_cover_what_they_should():
    sets = [draw(k, False) for k in range(200)]
    K = [float(params.K) for params, _, _ in sets]
    assert min(K) < 10
    assert max(K) > 1e14
    assert {params.model.name for params, _, _ in sets} == {"current", "conductance"}
    assert draw(3, True)[1:] == draw(3, True)[1:]


def test_command(capsys):
    assert main(["--sets", "6", "--noise", "diffusion", "kramers"]) == 0
    printed = capsys.readouterr().out
    assert "6 sets, 0 failures" in printed
    assert printed.startswith("diffusion")
