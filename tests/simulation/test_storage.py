"""How synapses are kept: by size, memory and law; what is refused before anything is allocated."""

import numpy as np
import pytest
from brian2 import Hz, ms

import cbnet
from cbnet.errors import ParameterError
from cbnet.simulation.backends import structure
from cbnet.simulation.wiring import storage
from cbnet.simulation.wiring.layout import Layout, layout

DT = 1e-4
GB = 10**9


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(K=1000)


def chosen(params, N, asked="auto", memory=100 * GB):
    return storage.choose(params, layout(params, N), DT, asked, memory)


def refused(message, params, N, asked="auto", memory=100 * GB):
    with pytest.raises(ParameterError, match=message) as caught:
        chosen(params, N, asked, memory)
    text = str(caught.value)
    assert "\n" not in text
    assert "expected" in text
    return text


def test_stored_if_it_fits(params):
    # 2e7 neurons and 2.5e10 synapses of two bytes; delays of 100 different steps
    assert chosen(params, 100_000) == "stored"
    assert chosen(params, 100_000, memory=GB) == "stored"
    assert chosen(params, 100_000, memory=GB // 5) == "procedural"
    assert chosen(params, 100_000, "stored", memory=GB) == "stored"


def test_a_dense_network_of_one_delay_is_bits_where_the_processor_adds_them(params, monkeypatch):
    one_delay = params.replace(D=1 * ms)
    for able, kept in ((True, "bitmap"), (False, "stored")):
        monkeypatch.setattr(structure, "has_avx512", lambda able=able: able)
        assert chosen(one_delay, 10_000) == kept
        assert chosen(one_delay, 100_000) == "stored"
        assert chosen(params, 10_000) == "stored"  # many delays
        assert chosen(one_delay, 10_000, "bitmap") == "bitmap"


def test_too_large_says_what_would_fit(params):
    text = refused(r"^N: got 100000 with 1.25e\+08 synapses", params, 100_000, "stored", GB // 5)
    assert "storage 'procedural' takes" in text
    text = refused(r"^N: got 100000", params, 100_000, memory=10**7)
    assert "take a smaller N or K" in text
    narrow = params.replace(law="gaussian", CV_K=0.02)
    text = refused(r"^N: got 100000", narrow, 100_000, memory=GB // 5)
    assert "CV_K=0.063 or more, or another law" in text


def test_what_has_no_procedural_form(params):
    narrow = params.replace(law="gaussian", CV_K=0.02)
    text = refused(r"^storage: got 'procedural'; CV_K 0.02 is below", narrow, 10_000, "procedural")
    least = float(text.partition("expected CV_K=")[2].split()[0])
    spread = np.sqrt((1 - 250 / 2000) / 250)  # of inhibition
    assert spread <= least < 1.02 * spread
    for CV_K in (least, 0.4):
        assert chosen(narrow.replace(CV_K=CV_K), 10_000, "procedural") == "procedural"
    refused(r"^storage: got 'procedural'; in-degree 1000 does", params, 10_100, "procedural")
    assert chosen(params, 10_000, "procedural") == "procedural"
    assert chosen(params.replace(law="bernoulli"), 10_100, "procedural") == "procedural"


def test_bits_have_one_delay(params):
    refused(r"^storage: got 'bitmap'; expected one delay", params, 10_000, "bitmap")
    mixed = params.replace(D=1 * ms, **{"I.D_max": 2 * ms})
    refused(r"^storage: got 'bitmap'", mixed, 10_000, "bitmap")
    # delays that are the same in steps are one delay
    assert chosen(params.replace(D_min=1 * ms, D_max=1.04 * ms), 10_000, "bitmap") == "bitmap"


def test_more_synapses_than_can_be_numbered_in_a_block():
    params = cbnet.load("conductance").replace(K=100_000, a=1e-4, law="bernoulli")
    assert storage.choose(params, layout(params, 250_000), DT, memory=1000 * GB) == "procedural"
    refused(r"^storage: got 'stored'; .*more than 2\^32", params, 250_000, "stored", 1000 * GB)
    gaussian = params.replace(law="gaussian", CV_K=0.1)
    assert storage.choose(gaussian, layout(gaussian, 250_000), DT) == "procedural"
    narrow = gaussian.replace(CV_K=0.001)
    text = refused(r"^N: got 250000 with 3.12e\+10 synapses;", narrow, 250_000, "auto", 1000 * GB)
    assert "more than 2^32" in text
    assert "CV_K 0.001 is below" in text


def test_type_of_the_counts(params):
    def counts(params, N=10_000, dt=DT, **more):
        return storage.count_type(params, layout(params, N), dt, **more)

    assert counts(params) == "uint16"
    # all sources at once, and the drive
    assert counts(params.replace(K=50_000, a=1e-4), 100_000) == "uint16"
    assert counts(params.replace(K=66_000, a=1e-4), 100_000) == "int32"
    wide = params.replace(K=50_000, a=1e-4, law="gaussian", CV_K=0.1)
    assert counts(wide, 200_000) == "int32"
    targets = np.zeros(70_000, int)
    graph = {"E": (targets, targets, targets), "I": (targets[:0],) * 3}
    assert counts(params, graph=graph) == "int32"
    with pytest.raises(ParameterError, match="^nu_X: got .* external spikes"):
        counts(params.replace(nu_X=1e6 * Hz))
    with pytest.raises(ParameterError, match=r"^r_I: got .* shorter dt"):
        counts(params.replace(r_I=4e6 * Hz), connected=False)


def test_brian2s_synapses(params):
    sizes = layout(params, 10_000)
    storage.check_brian2(params, sizes, memory=GB)
    with pytest.raises(ParameterError, match=r"^N: got 10000 with .* \(Brian2's Synapses\)"):
        storage.check_brian2(params, sizes, memory=GB // 2)
    with pytest.raises(ParameterError, match="^law: got 'gaussian' with an on_pre"):
        storage.check_brian2(params.replace(law="gaussian", CV_K=0.1), sizes, memory=GB)


def test_memory_of_this_machine():
    assert 1e6 < storage.available_memory() < 1e15


def test_a_small_network_still_takes_the_memory_of_a_program():
    small = Layout(80, 20, {("E", "E"): 8, ("E", "I"): 8, ("I", "E"): 2, ("I", "I"): 2})
    params = cbnet.load("conductance").replace(K=8)
    with pytest.raises(ParameterError, match="^N: got 100 with 1e.03 synapses"):
        storage.choose(params, small, DT, memory=1000)
