"""Results in files: what is saved comes back equal, and nothing is overwritten by accident."""

import copy
import dataclasses
import importlib
import pickle

import h5py
import numpy as np
import pytest
import xarray as xr
from brian2 import Hz, mV

import cbnet
from cbnet import results
from cbnet.errors import CbnetWarning, DamagedError, ParameterError
from cbnet.model.units import base_units, to_quantity
from cbnet.results import result
from cbnet.support import files


@pytest.fixture(scope="module")
def params():
    return cbnet.load("conductance").replace(g=12, a=0.0015)


@pytest.fixture(scope="module")
def single(params):
    return cbnet.respond(params, r_E=30 * Hz, r_I=12 * Hz)


def test_every_kind_comes_back_equal(params, single, tmp_path):
    silent = cbnet.respond(params, r_E=0 * Hz, r_I=0 * Hz)
    several = cbnet.respond(params, r_E=[0, 20, 40] * Hz, r_I=12 * Hz, noise="effective")
    solution = cbnet.solve(params)
    for k, original in enumerate((single, silent, several, solution)):
        path = original.save(tmp_path / f"{k}.nc")
        again = results.load(path)
        assert type(again) is type(original)
        assert again == original
        assert again.to_dict() == original.to_dict()
        assert again.parameters.fingerprint == original.parameters.fingerprint
    assert results.load(tmp_path / "0.nc") != results.load(tmp_path / "1.nc")


def test_loaded_results_still_compute(single, tmp_path):
    again = results.load(single.save(tmp_path / "one.nc"))
    v = np.linspace(-0.07, -0.056, 5) * single.V_mean / single.V_mean.__float__()
    np.testing.assert_array_equal(again.density(v), single.density(v))


def test_files_carry_units_and_what_made_them(single, tmp_path):
    with xr.open_dataset(single.save(tmp_path / "one.nc"), engine="h5netcdf") as dataset:
        assert dataset.rate.attrs["shown_in"] == "Hz"
        assert dataset.rate.attrs["long_name"] == "firing rate"
        assert '"a": 0.0015' in dataset.attrs["parameters"]
        assert '"numpy"' in dataset.attrs["versions"]


def test_nothing_is_overwritten_unless_asked(single, tmp_path):
    path = single.save(tmp_path / "one.nc")
    before = path.read_bytes()
    with pytest.raises(ParameterError, match="one.nc: exists already; .*overwrite=True"):
        single.save(path)
    assert path.read_bytes() == before
    single.save(path, overwrite=True)
    assert results.load(path) == single
    assert [p.name for p in tmp_path.iterdir()] == ["one.nc"]  # no temporary file stays


def test_folders_that_do_not_exist_are_named(single, tmp_path):
    with pytest.raises(ParameterError, match="absent.*cannot be written"):
        single.save(tmp_path / "absent" / "one.nc")


def test_files_that_are_not_ours_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="none.nc: got no such file"):
        results.load(tmp_path / "none.nc")
    text = tmp_path / "text.nc"
    text.write_text("rate = 20 Hz")
    with pytest.raises(ParameterError, match="text.nc: cannot be read as netCDF"):
        results.load(text)


def test_a_flipped_bit_is_noticed_wherever_it_is(single, tmp_path):
    path = single.save(tmp_path / "one.nc")
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    end = len(content) - 79  # the line with the checksum of the file
    for at in (*rng.integers(end, size=200), 0, end - 1, *range(end + 15, end + 78, 7)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match="one.nc: got content that is not what was saved"):
            results.load(path)
    for at in (end, end + 5):  # what says that there is one: the content has one of its own
        path.write_bytes(content[:at] + b"?" + content[at + 1 :])
        assert results.load(path) == single
    path.write_bytes(content[:-500])
    with pytest.raises(ParameterError, match="cannot be read as netCDF"):
        results.load(path)


def test_edited_numbers_and_attributes_are_noticed(single, tmp_path):
    path = single.save(tmp_path / "one.nc")
    content = path.read_bytes()[:-79]

    def edited(change):
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(DamagedError, match="one.nc: got content that is not what was saved"):
            results.load(path)

    with h5py.File(path) as file:
        numbers = [name for name in file if file[name].dtype.kind in "fiu"]
        attributes = [name for name in file.attrs if not name.startswith("_")]
    assert len(numbers) > 8 and {"parameters", "checksum", "cbnet_result"} <= set(attributes)
    for name in numbers:
        edited(lambda file, name=name: file[name].write_direct(np.array(1.5)))
    for name in set(attributes) - {"cbnet_result"}:
        edited(lambda file, name=name: file.attrs.modify(name, file.attrs[name] + " "))
    edited(lambda file: file["rate"].attrs.modify("units", "s"))
    edited(lambda file: file.move("rate", "rates"))


def test_files_of_other_versions_open_or_say_so(single, tmp_path):
    path = tmp_path / "one.nc"
    newer = single.to_xarray().assign_attrs(cbnet_format="99")
    files.write(path, files.netcdf(newer))
    with pytest.raises(
        ParameterError, match="got a file of format 99; expected at most 2: open it"
    ):
        results.load(path)
    older = single.to_xarray()
    del older.attrs["cbnet_format"]  # as cbnet 0.1 wrote it
    older.attrs["versions"] = older.attrs["versions"].replace(cbnet.__version__, "0.1.0")
    older.drop_vars("rate").to_netcdf(tmp_path / "lacking.nc", engine="h5netcdf")
    older.to_netcdf(tmp_path / "older.nc", engine="h5netcdf")
    with pytest.warns(CbnetWarning, match="older.nc: has no checksum"):
        assert float(results.load(tmp_path / "older.nc").rate) == float(single.rate)
    with (
        pytest.warns(CbnetWarning, match="lacking.nc: has no checksum"),
        pytest.raises(
            ParameterError, match="format 1 without rate; .* with what made it, cbnet 0.1"
        ),
    ):
        results.load(tmp_path / "lacking.nc")


def test_files_of_others_open_with_a_word(single, tmp_path):
    path = tmp_path / "one.nc"
    single.to_xarray().to_netcdf(path, engine="h5netcdf")
    with pytest.warns(CbnetWarning, match="one.nc: has no checksum"):
        assert results.load(path) == single
    single.save(path, overwrite=True)
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
        assert float(dataset.rate) == float(single.rate)
        dataset.load().to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    assert results.load(tmp_path / "again.nc") == single  # nothing was changed
    without = single.to_xarray().drop_vars("rate")
    files.write(path, files.netcdf(without), overwrite=True)
    with pytest.raises(
        ParameterError, match="one.nc: got a Response of format 2 without rate; expected"
    ):
        results.load(path)


def test_undefined_is_null_never_nan(params):
    silent = cbnet.respond(params, r_E=0 * Hz, r_I=0 * Hz)
    assert np.isnan(silent.cv)
    assert silent.to_dict()["cv"] is None
    assert "undefined" in repr(silent)


def test_plain_turns_numbers_into_json():
    given = np.array([[1.0, np.nan], [np.inf, 2.0]])
    assert result.plain(given) == [[1.0, None], [None, 2.0]]
    assert result.plain(np.bool_(True)) is True
    assert result.plain("word") == "word"


def test_numbers_in_si_or_quantities_make_the_same_result(single):
    numbers = {name: single.in_si(name) for name in single._variables()}
    again = type(single)(parameters=single.parameters, versions=single.versions, **numbers)
    assert again == single
    assert again.rate == single.rate and again.rate.dim == single.rate.dim
    assert isinstance(again._numbers["rate"], float)
    wrong = {**numbers, "rate": 20 * mV}
    with pytest.raises(ParameterError, match="rate: got a quantity in .*; expected one in Hz"):
        type(single)(parameters=single.parameters, **wrong)


def test_results_are_copied_and_looked_at(single):
    assert pickle.loads(pickle.dumps(single)) == single
    assert copy.deepcopy(single) == single
    assert dataclasses.replace(single, rate=5 * Hz).rate == 5 * Hz
    assert {"rate", "cv", "to_dict"} <= set(dir(single))
    with pytest.raises(AttributeError, match="'Response' object has no attribute 'rates'"):
        single.rates  # noqa: B018
    with pytest.raises(dataclasses.FrozenInstanceError):
        single.rate = 5 * Hz


@pytest.mark.parametrize("name", ["mV", "s", "Hz", "1/V", "mV/ms", "1"])
def test_base_units_are_written_as_brian2_does(name):
    quantity = to_quantity(1.0, name)
    assert base_units(name) == (str(quantity.dim) if name != "1" else "1")


def test_every_kind_is_found_in_its_module():
    for kind, module in result.DEFINED_IN.items():
        importlib.import_module(f"cbnet.{module}")
        assert result.KINDS[kind].__module__ == f"cbnet.{module}"
    ours = {k for k, cls in result.KINDS.items() if cls.__module__.startswith("cbnet.")}
    assert ours == set(result.DEFINED_IN)
