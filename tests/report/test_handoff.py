from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from nightsift.errors import NightsiftError
from nightsift.registry import load_plugins
from nightsift.report.handoff import HANDOFFS, link_kept, write_lists
from nightsift.report.handoff.siril import siril_files

LISTS = Path(__file__).with_name("lists_of_a_night.txt")


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    (tmp_path / "n 1").mkdir()
    verdicts = ["good", "bad", "bad", "review", "bad", "good", ""]
    names = [f"f{i}.fits" for i in range(1, 8)]
    for name in names:
        (tmp_path / "n 1" / name).write_text(name)
    return pd.DataFrame(
        {
            "file": [str(tmp_path / "n 1" / name) for name in names],
            "prob_bad": [0.1, 0.9, 0.8, 0.3, 0.99, 0.0, float("nan")],
            "reason": ["", "cloud", "cloud", "trailing", "streak\tx", "", "unreadable: damaged"],
            "night": "n 1",
            "verdict": verdicts,
            "time": [f"2025-03-01T20:0{i}:30.000+00:00" for i in range(6)] + [""],
        }
    )


@pytest.fixture
def features(table: pd.DataFrame) -> pd.DataFrame:
    columns = [
        "median",
        "mean",
        "std",
        "max",
        "fwhm_px",
        "hfr_px",
        "n_stars",
        "noise_adu",
        "exposure_s",
    ]
    values = {name: np.arange(6) + 10.0 * i for i, name in enumerate(columns, start=1)}
    return pd.DataFrame(
        {"file": table["file"][:6], "filter": "R", "elongation": 1.25, "night": "n", **values}
    )


def test_the_lists_are_these_byte_by_byte(table, features, tmp_path):
    folder = tmp_path / "lists"
    found = sorted(
        f"== {path.relative_to(folder).as_posix()}\n{path.read_bytes().decode()}"
        for path in write_lists(folder, table, features)
    )
    known = LISTS.read_bytes().decode().replace("{folder}", str(tmp_path / "n 1"))
    assert "".join(found) == known


@pytest.fixture
def handoffs(monkeypatch) -> None:
    """What a test adds to the table is gone after it."""
    assert {"lists", "astroimagej", "siril", "pixinsight", "nina"} <= set(HANDOFFS)
    monkeypatch.setattr(HANDOFFS, "_entries", dict(HANDOFFS))


def test_a_format_of_another_package_is_written_too(
    table, features, tmp_path, handoffs, monkeypatch
):
    (tmp_path / "my_lists.py").write_text(
        "from nightsift.report.handoff import HANDOFFS\n"
        "def mine(table, features):\n"
        "    bad = table[table['verdict'] == 'bad']\n"
        "    return {'mine/bad.txt': f'{len(bad)} of {len(features)}\\n'}\n"
        "HANDOFFS.add('mine', mine)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["my_lists"])
    written = write_lists(tmp_path / "lists", table, features)
    assert written[-1] == tmp_path / "lists" / "mine" / "bad.txt"
    assert written[-1].read_text() == "3 of 6\n"


def fails(table, features):
    return {"x.txt": str(table["no such column"])}


def spoils(table, features):
    table["verdict"] = "bad"
    del features["fwhm_px"]
    return {"x.txt": ""}


@pytest.mark.parametrize(
    ("handoff", "reason"),
    [
        (fails, "KeyError: 'no such column'"),
        (lambda table, features: None, "AttributeError"),
        (lambda table, features: {"x.txt": b"bytes"}, "AttributeError"),
        (lambda table, features: {"../x.txt": ""}, "no path within the folder of lists"),
        (lambda table, features: {"/x.txt": ""}, "no path within the folder of lists"),
        (lambda table, features: {"": ""}, "no path within the folder of lists"),
        (lambda table, features: {"kept.txt": ""}, "kept.txt is another hand-off's"),
        (lambda table, features: {"kept.txt/x": ""}, "FileExistsError"),
        (spoils, ""),
    ],
)
def test_what_another_package_does_wrong_costs_its_own_format_alone(
    table, features, tmp_path, handoffs, caplog, handoff, reason
):
    before = write_lists(tmp_path / "before", table, features)
    HANDOFFS.add("mine", handoff)
    after = write_lists(tmp_path / "after", table, features)
    assert [path.name for path in after[: len(before)]] == [path.name for path in before]
    assert [path.read_bytes() for path in after[: len(before)]] == [p.read_bytes() for p in before]
    assert (tmp_path / "after" / "x.txt").exists() == (not reason)
    assert bool(caplog.records) == bool(reason)
    assert not reason or ("hand-off 'mine' is left out" in caplog.text and reason in caplog.text)


def test_every_readable_frame_is_in_one_list(table, features, tmp_path):
    write_lists(tmp_path / "lists", table, features)
    kept = (tmp_path / "lists" / "kept.txt").read_text().splitlines()
    rejected = (tmp_path / "lists" / "rejected.txt").read_text().splitlines()
    assert [Path(path).name for path in kept] == ["f1.fits", "f4.fits", "f6.fits"]
    assert [Path(path).name for path in rejected] == ["f2.fits", "f3.fits", "f5.fits"]
    assert all(Path(path).is_file() for path in kept + rejected)


def test_the_astroimagej_table_has_a_row_per_slice(table, features, tmp_path):
    write_lists(tmp_path, table, features)
    read = pd.read_csv(tmp_path / "astroimagej.tbl", sep="\t", index_col=0)
    assert list(read["Label"]) == [f"f{i}.fits" for i in range(1, 7)]
    assert list(read["slice"]) == [1, 2, 3, 4, 5, 6]
    assert list(read["NSBAD"]) == [0, 1, 1, 0, 1, 0]
    assert read["NSREASON"][5] == "streak x"


def test_tables_have_the_names_that_other_programs_look_for(table, features, tmp_path):
    write_lists(tmp_path, table, features)
    frames = pd.read_csv(tmp_path / "subframe_selector.csv")
    assert list(frames)[:5] == ["Index", "Approved", "Locked", "File", "Weight"]
    assert list(frames["Approved"]) == [True, False, False, True, False, True]
    assert frames["Weight"][1] == pytest.approx(0.1)
    assert frames["Eccentricity"][0] == pytest.approx(0.6)
    exposures = pd.read_csv(tmp_path / "ImageMetaData.csv", keep_default_na=False)
    assert list(exposures["FilePath"]) == list(table["file"][:6])
    assert exposures["ExposureStartUTC"][0] == "2025-03-01T19:59:45+00:00"
    assert list(exposures["NSBAD"]) == [0, 1, 1, 0, 1, 0]
    assert exposures["HFR"][2] == 62


def test_siril_counts_from_one_in_the_natural_order_of_names(table):
    table["file"] = [path.replace("f4.fits", "f11.fits") for path in table["file"]]
    files = siril_files(table.sample(frac=1, random_state=0))
    # f1 f2 f3 f5 f6 f7 f11: 2, 3 and 5 are bad, f7 is no frame
    assert files["unselect.ssf"].splitlines()[1:] == ["unselect light_ 2 4", "unselect light_ 6 6"]
    assert files["light_.seq"].splitlines()[1] == "S 'light_' 1 7 3 5 -1 3"
    flags = [line.split() for line in files["light_.seq"].splitlines() if line[0] == "I"]
    assert flags == [["I", str(i), str(int(i in (1, 5, 7)))] for i in range(1, 8)]


def test_a_folder_name_cannot_become_a_command(table, features, tmp_path):
    table["file"] = [f'{tmp_path}/a"\nstack x/{Path(path).name}' for path in table["file"]]
    write_lists(tmp_path / "lists", table, features)
    (script,) = (tmp_path / "lists").glob("*/unselect.ssf")
    assert script.parent.name == "siril_a_stack_x"
    odd = tmp_path / 'k"'
    link_kept(odd, table)
    assert not list(odd.glob("*.ssf"))


@pytest.fixture
def frames(table):
    for i, path in enumerate(table["file"]):
        pixels = np.random.default_rng(i).normal(1000, 5, (64, 64)).astype(np.float32)
        fits.PrimaryHDU(pixels).writeto(path, overwrite=True)
    return table


def run_siril(script: Path) -> str:
    command = ["siril-cli", "-s", str(script)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="no siril-cli")
def test_siril_itself_makes_a_sequence_of_the_kept_frames(frames, tmp_path):
    kept = tmp_path / "ke pt"
    link_kept(kept, frames)
    assert "succeeded, 3 file(s)" in run_siril(kept / "siril_n_1.ssf")
    linked = sorted((kept / "siril_n_1").glob("light_*.fit"))
    assert [path.resolve().name for path in linked] == ["f1.fits", "f4.fits", "f6.fits"]


@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="no siril-cli")
def test_siril_itself_stacks_only_the_selected_frames_of_a_sequence(frames, features, tmp_path):
    write_lists(tmp_path / "lists", frames, features)
    sequence = tmp_path / "sequence"
    link, stack = tmp_path / "link.ssf", tmp_path / "stack.ssf"
    link.write_text(f'requires 1.0.0\ncd "{tmp_path / "n 1"}"\nlink light "-out={sequence}"\n')
    run_siril(link)
    shutil.copy(tmp_path / "lists" / "siril_n_1" / "light_.seq", sequence)
    stack.write_text(f'requires 1.0.0\ncd "{sequence}"\nstack light_ sum -filter-included\n')
    output = run_siril(stack)
    assert "Using selected images filter (3/7 of the sequence)" in output
    assert set(re.findall(r"Reading FITS: file light_0000(\d)", output)) == {"1", "4", "6"}


def test_kept_frames_are_linked_night_by_night(table, tmp_path):
    assert link_kept(tmp_path / "kept", table) == 3
    linked = sorted((tmp_path / "kept" / "n_1").iterdir())
    assert [path.name for path in linked] == ["f1.fits", "f4.fits", "f6.fits"]
    assert [path.read_text() for path in linked] == [path.name for path in linked]
    with pytest.raises(NightsiftError, match="not empty"):
        link_kept(tmp_path / "kept", table)
