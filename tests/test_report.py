"""Verdicts: what must pass passes, what must fail fails, and what is too noisy decides nothing."""

import math
import re

import numpy as np
import pytest
import xarray as xr

from cbnet.commands import report
from cbnet.reporting import beyond, networks, one_neuron, page
from cbnet.reporting import verdicts as v
from cbnet.reporting.claims import Claim, Outcome, judge
from cbnet.reporting.verdicts import NOT_SUPPORTED, SUPPORTED, UNDECIDED, Number

CLAIMS = {c.key: c for c in (*one_neuron.CLAIMS, *networks.CLAIMS, *beyond.CLAIMS)}
NOTHING = Number(math.nan, math.nan)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (Number(0.5), SUPPORTED),
        (Number(1.5), NOT_SUPPORTED),
        (Number(0.5, 0.1), SUPPORTED),
        (Number(1.5, 0.1), NOT_SUPPORTED),
        (Number(0.9, 0.1), UNDECIDED),
        (Number(1.1, 0.1), UNDECIDED),
        (NOTHING, UNDECIDED),
        (Number(0.5, math.nan), UNDECIDED),
    ],
)
def test_at_most_one(number, expected):
    assert v.at_most(number, 1.0) == expected
    assert v.at_least(Number(-number.value, number.sem), -1.0) == expected


def test_an_interval_has_two_ends():
    assert v.between(Number(0.5, 0.01), 0, 1) == SUPPORTED
    assert v.between(Number(-0.5, 0.01), 0, 1) == NOT_SUPPORTED
    assert v.between(Number(1.5, 0.01), 0, 1) == NOT_SUPPORTED
    assert v.between(Number(0.01, 0.01), 0, 1) == UNDECIDED


def test_numbers_agree_within_three_standard_errors():
    assert v.agree(Number(1.0, 0.1), Number(1.25)) == SUPPORTED
    assert v.agree(Number(1.0, 0.1), Number(1.35)) == NOT_SUPPORTED
    assert v.agree(Number(1.0, 0.1), Number(1.35), tolerance=0.1) == SUPPORTED
    # an error that would hide anything is no agreement
    assert v.agree(Number(1.0, 5.0), Number(1.2)) == UNDECIDED
    assert v.agree(NOTHING, Number(1.0)) == UNDECIDED


def test_one_failure_decides():
    assert v.every(SUPPORTED, SUPPORTED) == SUPPORTED
    assert v.every(SUPPORTED, UNDECIDED) == UNDECIDED
    assert v.every(UNDECIDED, NOT_SUPPORTED, SUPPORTED) == NOT_SUPPORTED
    assert v.every() == UNDECIDED


def test_exponents_and_their_errors():
    x = np.array([1.0, 10.0, 100.0])
    assert v.exponent(x, 3 * x**-0.25).value == pytest.approx(-0.25, abs=1e-12)
    # equal relative errors e on decades: the slope has e / √(Σ (ln x − mean)²)
    found = v.exponent(x, x**0.5, 0.01 * x**0.5)
    assert found.value == pytest.approx(0.5, abs=1e-12)
    assert found.sem == pytest.approx(0.01 / math.sqrt(2 * math.log(10) ** 2))
    rng = np.random.default_rng(1)
    slopes = [v.exponent(x, x * np.exp(0.01 * rng.standard_normal(3))).value for _ in range(2000)]
    # 2000 draws know a standard deviation to 1/√4000
    assert np.std(slopes) == pytest.approx(found.sem, rel=4 / math.sqrt(4000))
    assert not v.exponent(x, [1.0, -1.0, math.nan]).known


def test_where_a_line_crosses():
    found = v.crossing([0.0, 0.1, 0.2], [0.0, 0.05, 0.15], 0.1, [0.0, 0.01, 0.01])
    assert found.value == pytest.approx(0.15)
    assert found.sem == pytest.approx(math.hypot(0.005, 0.005) / 1.0)
    assert not v.crossing([0.0, 0.1], [0.0, 0.05], 0.1).known


def test_ratios():
    found = v.ratio(Number(2.0, 0.2), Number(4.0, 0.4))
    assert found.value == 0.5
    assert found.sem == pytest.approx(0.5 * math.hypot(0.1, 0.1))
    assert not v.ratio(Number(1.0), Number(0.0)).known


def strong_coupling(
    exponent=-0.25, simulated=None, rate=1e-4, cv_above=0.05, held=0.0, error=0.01, runs_away=0.5
):
    """What the figure would store, with these exponents of the voltage sd."""
    K, K_exact = 10.0 ** np.arange(2, 10), np.array([1e2, 1e3, 1e4, 1e5])
    names = [
        one_neuron.CONDUCTANCE,
        one_neuron.HELD,
        one_neuron.UNTUNED,
        one_neuron.ABOVE,
    ]
    powers = [exponent, held, 0.0, exponent]
    found = exponent if simulated is None else simulated
    powers_exact = [found, held, 0.0, found]
    sd = np.array([K**p for p in powers])
    sd_exact = np.array([K_exact**p for p in powers_exact])
    mean = np.array([-60 + 0 * K, -60 + 0 * K, -80 - K**runs_away, -50 + 0 * K])
    mean_exact = np.array(
        [-60 + 0 * K_exact, -60 + 0 * K_exact, -80 - K_exact**runs_away, -50 + 0 * K_exact]
    )
    cv = np.array([0.9, 0.9, np.nan, cv_above])[:, None]
    rates = np.array([rate, 10.0, 0.0, 400.0])[:, None]
    shape = (4, len(K_exact))

    def exact(values):
        return (("condition", "K_exact"), np.broadcast_to(values, shape))

    def theory(values):
        return (("condition", "K"), np.broadcast_to(values, (4, len(K))))

    return xr.Dataset(
        {
            "V_sd_theory": theory(sd),
            "V_sd_exact": exact(sd_exact),
            "V_sd_sem_exact": exact(error * sd_exact),
            "V_mean_theory": theory(mean),
            "V_mean_exact": exact(mean_exact),
            "V_mean_sem_exact": exact(0.01),
            "rate_theory": theory(rates),
            "rate_exact": exact(rates),
            "rate_sem_exact": exact(0.01 * rates + 1e-6),
            "cv_theory": theory(cv),
            "cv_exact": exact(cv),
            "cv_sem_exact": exact(0.005),
        },
        {"condition": names, "K": K, "K_exact": K_exact},
    )


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        ("2.1", {}, SUPPORTED),
        ("2.1", {"exponent": -0.2}, NOT_SUPPORTED),  # theory's limit
        ("2.1", {"simulated": -0.35}, NOT_SUPPORTED),
        ("2.1", {"error": 2.0}, UNDECIDED),
        ("1.1", {}, SUPPORTED),
        ("1.1", {"held": -0.1}, NOT_SUPPORTED),
        ("1.2", {}, SUPPORTED),
        ("1.3", {}, SUPPORTED),
        ("1.3", {"runs_away": 0.3}, NOT_SUPPORTED),
        ("2.2", {}, SUPPORTED),
        ("2.2", {"rate": 1.0}, NOT_SUPPORTED),
        ("2.3", {}, SUPPORTED),
        ("2.3", {"cv_above": 0.6}, NOT_SUPPORTED),
    ],
)
def test_claims_of_strong_coupling(key, data, expected):
    assert CLAIMS[key].decide(strong_coupling(**data)).verdict == expected


def test_silence_that_was_not_waited_for_is_undecided():
    data = strong_coupling(rate=0.0)
    data["rate_sem_exact"] = data.rate_sem_exact * 0 + 1.5  # 3/duration: no spike in 2 s
    assert CLAIMS["2.2"].decide(data).verdict == UNDECIDED


def heterogeneity(conductance=0.3, current=0.1, error=0.01):
    """Shares of silent neurons that grow from 0 to 20 % at twice these CV_K."""
    spread = np.linspace(0, 0.8, 81)
    shares = {"conductance": conductance, "current": current}
    silent = np.array([[[np.clip(0.1 * spread / shares[m], 0, 1)]] for m in shares])
    silent = np.broadcast_to(silent, (2, 2, 1, 81))
    dims = ("model", "scaling", "K", "CV_K")
    seen = ("model", "scaling", "K_simulated", "CV_K_simulated")
    return xr.Dataset(
        {
            "quiet_theory": (dims, silent),
            "quiet": (seen, silent),
            "quiet_sem": (seen, 0 * silent + error * 0.1),
            "rate_cv_theory": (dims, 4 * silent),
            "rate_cv": (seen, 4 * silent),
            "rate_cv_sem": (seen, 0 * silent + 1e-3),
        },
        {
            "model": list(shares),
            "scaling": ["sqrt", "log"],
            "K": [1000],
            "K_simulated": [1000],
            "CV_K": spread,
            "CV_K_simulated": spread,
        },
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, SUPPORTED),
        ({"conductance": 0.1}, NOT_SUPPORTED),
        ({"conductance": 0.1, "current": 0.3}, NOT_SUPPORTED),
        ({"error": 30.0}, UNDECIDED),
        ({"conductance": 5.0}, UNDECIDED),  # never reached: no ratio
    ],
)
def test_tolerance_of_unequal_in_degrees(data, expected):
    outcome = CLAIMS["7.1"].decide(heterogeneity(**data))
    assert outcome.verdict == expected
    if not data:
        assert outcome.theory.value == pytest.approx(3.0)


def approximations(ratio=1.0, error=0.01, step=0.7):
    shape = ("set", "a_exact", "r_E_exact")
    rate = np.full((1, 2, 2), 10.0)
    return xr.Dataset(
        {
            "rate_exact": (shape, rate),
            "rate_sem_exact": (shape, error * rate),
            "spikes_exact": (shape, 0 * rate + 1000),
            "rate_theory": (
                ("noise", *shape),
                np.array([rate, 2 * rate, 2 * rate]) / ratio,
            ),
            "step_ratio": (("arrivals", "dt"), [[1.0], [step]]),
            "step_ratio_sem": (("arrivals", "dt"), [[error], [error]]),
        },
        {"noise": ["shot", "diffusion", "effective"], "arrivals": ["random", "brian2"]}
        | {"dt": [0.1]},
    )


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        ("b.1", {}, SUPPORTED),
        ("b.1", {"ratio": 1.3}, NOT_SUPPORTED),
        ("b.1", {"error": 0.1}, UNDECIDED),
        ("b.2", {}, SUPPORTED),
        ("b.2", {"ratio": 2.0}, NOT_SUPPORTED),  # then white noise is right
        ("b.13", {}, SUPPORTED),
        ("b.13", {"step": 1.0}, NOT_SUPPORTED),
        ("b.14", {}, SUPPORTED),
        ("b.14", {"error": 0.2}, UNDECIDED),
    ],
)
def test_claims_of_approximations(key, data, expected):
    assert CLAIMS[key].decide(approximations(**data)).verdict == expected


@pytest.mark.parametrize(
    ("simulated", "theory", "expected"),
    [
        ([0.5, 0.4], [0.5, 0.4], SUPPORTED),
        ([0.5, 0.6], [0.5, 0.4], NOT_SUPPORTED),
        ([0.5], [0.5], UNDECIDED),
    ],
)
def test_trends_need_two_inputs(simulated, theory, expected):
    x = [20.0, 80.0][: len(simulated)]
    data = xr.Dataset(
        {
            "V_sd_theory": (("case", "nu_X"), [theory]),
            "V_sd": (("case", "nu_X_simulated"), [simulated]),
            "V_sd_sem": (("case", "nu_X_simulated"), [[0.001] * len(x)]),
        },
        {"case": [networks.REFERENCE], "nu_X": x, "nu_X_simulated": x},
    )
    assert CLAIMS["8.3"].decide(data).verdict == expected


def test_every_claim_is_stated_in_full_and_has_a_figure():
    from cbnet.figures import NAMES

    assert len(CLAIMS) == sum(map(len, (one_neuron.CLAIMS, networks.CLAIMS, beyond.CLAIMS)))
    for claim in CLAIMS.values():
        assert all((claim.says, claim.number, claim.criterion)), claim.key
        assert claim.figure in NAMES
        assert claim.scope in ("one neuron", "network")
    # all eight claims, and those that differ for a network on both
    stated = {(c.claim, c.scope) for c in CLAIMS.values()}
    assert {number for number, _ in stated} >= set("12345678")
    for number in "1236":
        assert {(number, "one neuron"), (number, "network")} <= stated


def test_a_missing_figure_decides_nothing():
    judged = judge(tuple(CLAIMS.values()), {}, lambda figure: f"cbnet figure {figure}")
    assert {one.outcome.verdict for one in judged} == {UNDECIDED}


@pytest.fixture
def judged():
    verdicts = (SUPPORTED, NOT_SUPPORTED, UNDECIDED)
    made = []
    for i, verdict in enumerate(verdicts):
        outcome = Outcome(verdict, Number(1.0), Number(1.2, 0.1), "a <note>")
        made.append(
            Claim(f"1.{i}", "1", "x | y", "network", "n", "c", "scaling", lambda _, o=outcome: o)
        )
    return judge(made, {"scaling": None}, lambda figure: f"cbnet figure {figure} --quick")


def test_the_page_holds_everything_itself(judged):
    text = page.page(judged, [("A title", "A caption", b"picture")], "about")
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "data:image/png;base64,cGljdHVyZQ==" in text
    assert "a &lt;note&gt;" in text and "A caption" in text
    assert "1 supported, 1 not supported, 1 undecided at this size" in text
    assert text.count("cbnet figure scaling --quick") == 3


def test_the_table_in_markdown(judged):
    text = page.markdown(judged, [("A title", "A caption", "scaling.png")], "about")
    rows = [line for line in text.splitlines() if line.startswith("| 1.")]
    assert len(rows) == 3
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns == {len(page.HEADER) + 1}
    assert "![A title](scaling.png)" in text


def test_json_has_plain_numbers(judged):
    rows = report.to_dict(judged, [])["claims"]
    assert rows[0]["simulation"] == [1.2, 0.1]
    assert page.shown(None) == "–" and page.shown(NOTHING) == "not measured"
