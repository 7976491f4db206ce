"""Source codecs: the best quality that fits, files that come back from their data alone, and a user's own programs."""

import io
import os
import sys

import numpy as np
import pytest
from PIL import Image

from hil.errors import DriverMissingError
from hil.models.separate.codecs import CODECS, WHOLE, budgeted, decoded


@pytest.fixture(scope="module")
def picture():
    coarse = np.random.default_rng(3).integers(0, 255, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("name", ["jpeg", "webp", "heif", "avif"])
def test_the_best_stream_that_fits_is_sent_and_read_back(name, headers, picture):
    room = 900 if headers else 220
    stream = budgeted(name, picture, room, headers=headers)
    assert 0 < len(stream) <= room
    assert headers or stream[0] != WHOLE
    back = decoded(name, stream, 32, 32, headers)
    error = np.mean((back.astype(float) - picture) ** 2)
    assert 10 * np.log10(255**2 / error) > 25
    file = CODECS[name].write(picture, stream[0]) if not headers else stream
    assert np.array_equal(CODECS[name].read(file), back)  # without its header or with it
    assert budgeted(name, picture, 3, headers=headers) == b""


@pytest.mark.parametrize("name", ["jpeg", "webp", "heif", "avif"])
def test_a_damaged_stream_is_no_image(name):
    assert decoded(name, bytes([50]) + b"nonsense", 32, 32, True) is None
    assert decoded(name, bytes([WHOLE]) + b"nonsense", 32, 32, False) is None


def test_an_image_of_another_size_is_none(picture):
    assert decoded("webp", budgeted("webp", picture, 900, headers=True), 16, 16, True) is None


def test_a_missing_bpg_says_what_is_missing(picture, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DriverMissingError, match="'bpgenc' on the PATH"):
        budgeted("bpg", picture, 100, headers=True)


def test_bpg_is_called_as_its_programs_want_it(picture, tmp_path, monkeypatch):
    """A stand-in with the options of libbpg's programs; its files are JPEG of quality 51 − QP."""
    program = (
        f"#!{sys.executable}\nimport sys\nfrom PIL import Image\nwords = sys.argv[1:]\n"
        "quality = 52 - int(words[words.index('-q') + 1]) if '-q' in words else None\n"
        "own = {'format': 'PNG'} if quality is None else {'format': 'JPEG', 'quality': quality}\n"
        "Image.open(words[-1]).save(words[words.index('-o') + 1], **own)\n"
    )
    for name in ("bpgenc", "bpgdec"):
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    file = CODECS["bpg"].write(picture, 51)  # QP 0
    assert np.array_equal(CODECS["bpg"].read(file), np.asarray(Image.open(io.BytesIO(file))))
    assert len(CODECS["bpg"].write(picture, 0)) < len(file)
