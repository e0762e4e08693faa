"""The pixel scale by whatever a header holds; arcsec per pixel."""

from __future__ import annotations

import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from nightsift.fits import scale
from nightsift.fits.scale import pixel_scale, pixel_scale_of

SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
TURNED = {"CD1_1": -2e-4, "CD1_2": 1e-4, "CD2_1": 1e-4, "CD2_2": 2e-4}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, None),
        ({"SECPIX": 0.26}, 0.26),
        ({"PIXSCALE": "1.35"}, 1.35),
        ({"PIXSCALE": 0.0, "SECPIX1": 0.5}, 0.5),
        ({"PIXSCALE": "unknown"}, None),
        ({"PIXSCALE": True}, None),
        ({"SECPIX": 1e6}, None),
        ({"XPIXSZ": 24.0, "FOCALLEN": 3910.0, "XBINNING": 1}, 1.2661),
        # Pixels of 9 um, read three by three: the card counts binned ones.
        ({"XPIXSZ": 27.0, "FOCALLEN": 2032.0, "XBINNING": 3}, 2.7407),
        ({"PIXSIZE1": 9.0, "FOCALLEN": 2032.0, "XBINNING": 3}, 2.7407),
        ({"PIXSIZE1": 9.0, "FOCALLEN": 2032.0}, 0.91356),
        ({"XPIXSZ": 9.0, "FOCALLEN": 0.0}, None),
        ({"XPIXSZ": 9.0}, None),
        ({**SKY, "CDELT1": -0.0002, "CDELT2": 0.0002}, 0.72),
        ({**SKY, "CDELT1": -0.72, "CDELT2": 0.72, "CUNIT1": "arcsec", "CUNIT2": "arcsec"}, 0.72),
        ({**SKY, "CDELT1": 1.0, "CDELT2": 1.0, "SECPIX": 0.9}, 0.9),  # a placeholder
        ({"CDELT1": 0.0002, "CDELT2": 0.0002}, None),  # of what?
        ({**SKY, "CDELT1": 0.0002}, None),
        ({**SKY, **{key: str(value) for key, value in TURNED.items()}}, 0.80498),
        ({**SKY, **TURNED, "SECPIX": 3.0}, 0.80498),  # what was measured on the sky is believed
        ({**SKY, **TURNED, "CUNIT1": "furlong", "SECPIX": 3.0}, 3.0),
    ],
)
def test_the_scale_is_found_in_many_spellings(header, expected):
    found = pixel_scale(header)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-4))


@pytest.mark.parametrize("kind", ["cd", "pc", "cdelt"])
def test_celestial_coordinates_give_what_astropy_gives(kind):
    angle = np.radians(31.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = list(SKY.values())
    if kind == "cd":
        wcs.wcs.cd = turn * 3e-4
    else:
        wcs.wcs.cdelt = [-3e-4, 3e-4]
        wcs.wcs.pc = turn if kind == "pc" else np.eye(2)
    expected = 3600 * np.sqrt(np.prod(proj_plane_pixel_scales(wcs)))
    assert pixel_scale(dict(wcs.to_header())) == pytest.approx(expected, rel=1e-6)


def test_a_file_is_asked_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "f.fits"
    asked = []
    read_facts = scale.read_facts
    monkeypatch.setattr(scale, "read_facts", lambda path: asked.append(path) or read_facts(path))
    for seconds, value in ((1, 0.5), (1, 0.5), (2, 0.7)):
        header = fits.Header({"SECPIX": value})
        fits.writeto(path, np.zeros((20, 20), np.uint16), header, overwrite=True)
        os.utime(path, (seconds, seconds))
        assert pixel_scale_of(path) == value
    assert len(asked) == 2
    assert pixel_scale_of(tmp_path / "absent.fits") is None
    (tmp_path / "text.fits").write_text("no frame")
    assert pixel_scale_of(tmp_path / "text.fits") is None
