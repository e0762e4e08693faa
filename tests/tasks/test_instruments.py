from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nightsift.errors import NightsiftError
from nightsift.shipped import conf_dir
from nightsift.simulate.instrument_files import shipped_instruments
from nightsift.tasks.instruments import load_instruments


@pytest.fixture
def mine():
    return OmegaConf.load(conf_dir() / "instrument" / "c14_0p36m.yaml")


def load(tmp_path, cfg):
    OmegaConf.save(cfg, tmp_path / "mine.yaml")
    return load_instruments([str(tmp_path / "mine.yaml")])


def test_no_name_means_all_that_ship():
    assert len(load_instruments([])) == len(shipped_instruments()) >= 8


def test_an_instrument_of_one_s_own_is_one_more_file(tmp_path, mine):
    mine.telescope = "my own"
    (instrument,) = load(tmp_path, mine)
    assert instrument.telescope == "my own"
    assert instrument.detector.shape == (1024, 1024)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(NightsiftError, match=r"no such instrument: c15; .* one of c14_0p36m"):
        load_instruments(["c15"])


def test_a_missing_key_is_named(tmp_path, mine):
    del mine.detector["gain_e_adu"]
    with pytest.raises(NightsiftError, match=r"missing: detector\.gain_e_adu"):
        load(tmp_path, mine)


@pytest.mark.parametrize(
    ("key", "value"), [("detector.gian", 2), ("detector.gain_e_adu", "two"), ("optics.zoom", 1)]
)
def test_unknown_keys_and_wrong_types_are_refused(tmp_path, mine, key, value):
    OmegaConf.update(mine, key, value, force_add=True)
    with pytest.raises(OmegaConfBaseException, match=key.rpartition(".")[2]):
        load(tmp_path, mine)


def test_nonsense_is_refused_by_name(tmp_path, mine):
    mine.detector.gain_e_adu = -1.0
    with pytest.raises(NightsiftError, match=r"C14: gain_e_adu=-1\.0: expected"):
        load(tmp_path, mine)


@pytest.mark.parametrize("source", ["--config-dir=conf", "hydra.searchpath=[pkg://theirs.conf]"])
def test_a_config_dir_of_one_s_own_may_hold_instruments(run_task, mine, monkeypatch, source):
    for folder in (Path("conf/instrument"), Path("theirs/conf/instrument")):
        folder.mkdir(parents=True)
        OmegaConf.save(mine, folder / "attic.yaml")
    for package in ("theirs", "theirs/conf"):
        Path(package, "__init__.py").touch()
    monkeypatch.syspath_prepend(Path.cwd())
    one = ["simulate=tiny", "simulate.nights=1", "simulate.mixed_frames=0", "contact_sheets=false"]
    ended = run_task("simulate", "out=new", *one, "simulate.instruments=[attic]", source)
    assert ended.status == 0, ended.err
    ended = run_task("simulate", "out=new", *one, "simulate.instruments=[cellar]", source)
    assert ended.status == 2
    assert "no such instrument: cellar; expected a YAML file or one of attic, c14" in ended.err
