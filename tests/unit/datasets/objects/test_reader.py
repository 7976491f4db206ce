"""The objects set: frozen pixels, the same scenes at both sizes, boxes where things are, and texture as 1/f."""

import numpy as np
import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.datasets.objects import reader
from hil.datasets.objects._scenes import _texture, draw_scenes, paint
from hil.datasets.objects._shapes import CLASSES
from hil.datasets.streams import Stream
from hil.errors import DatasetError

FROZEN = {
    32: "609ed7dba5bc7a8ecac72fa8056350fd77754008dcc0b87cc0a7ab7f152c583b",
    96: "4da0cf4681d474943dbc7bf61ac3123ce04a6e6c5a4f4ce850af986d18facd15",
}
"""Fingerprints of the first 50 test and 200 training images: results of other versions hang on their pixels."""


@pytest.mark.parametrize("side", [32, 96])
def test_pixels_are_frozen(side, tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path))
    drawn = load_dataset(f"objects:size={side}&images=50")
    assert drawn.fingerprint == FROZEN[side]
    monkeypatch.setattr(reader, "paint", None)  # only the cache can serve it now
    assert load_dataset(f"objects:?size={side}&images=50").fingerprint == drawn.fingerprint


def test_both_sizes_show_the_same_scenes():
    small, large = (load_dataset("objects:images=20", image_size=(side, side)) for side in (32, 96))
    assert (len(small.test), len(small.train), small.classes) == (20, 80, CLASSES)
    assert torch.equal(small.test.label("class"), large.test.label("class"))
    assert torch.equal(small.test.label("group"), small.test.label("class") // 5)
    for one, other in zip(small.test.boxes, large.test.boxes, strict=True):
        assert 1 <= len(one) <= 4
        assert torch.allclose(one[:, :4] * 3, other[:, :4], atol=1e-4)
        assert bool((one[:, :4] >= -1e-4).all())
        assert bool((one[:, :4] <= 32 + 1e-4).all())
    apart = torch.nn.functional.avg_pool2d(large.test.float_images(), 3) - small.test.float_images()
    assert float(apart.square().mean()) < 0.02  # texture differs, things do not


def test_a_first_part_is_of_the_same_images():
    few, more = load_dataset("objects:images=3"), load_dataset("objects:images=60")
    assert torch.equal(few.test.images[:], more.test.images[:3])
    assert torch.equal(few.train.images[:], more.train.images[:12])


def test_things_are_painted_in_their_boxes():
    """Scenes that differ in nothing but the things: pixels change inside the boxes only, and up to their sides."""
    scenes = draw_scenes(50, Stream(7))
    bare = paint(type(scenes)(**{**vars(scenes), "count": np.zeros_like(scenes.count)}), 96, Stream(8))
    changed = (paint(scenes, 96, Stream(8)) != bare).any(axis=1)
    for seen, boxes in zip(changed, scenes.boxes, strict=True):
        inside = np.zeros_like(seen)
        for left, top, right, bottom, _ in boxes * 96:
            inside[max(0, int(top) - 1) : int(bottom) + 2, max(0, int(left) - 1) : int(right) + 2] = True
        assert not (seen & ~inside).any()
        left, top, right, bottom, _ = boxes[0] * 96  # the nearest thing, which nothing hides
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        assert rows[0] <= top + 3
        assert rows[-1] >= bottom - 4
        assert columns[0] <= left + 3
        assert columns[-1] >= right - 4


@pytest.mark.parametrize("side", [32, 96])
def test_texture_has_the_spectrum_of_natural_pictures(side):
    fields = torch.from_numpy(_texture(200, side, Stream(9), side).copy())
    assert float(fields.std()) == pytest.approx(1, abs=0.1)
    window = torch.hann_window(side)
    power = torch.fft.fft2(fields * window[:, None] * window).abs().square().mean(0)
    places = torch.fft.fftfreq(side) * side
    radius = (places[:, None] ** 2 + places**2).sqrt()
    band = (radius >= 2) & (radius < side / 2)
    slope = np.polyfit(radius[band].log().numpy(), power[band].log().numpy(), 1)[0] / 2
    assert slope == pytest.approx(-1, abs=0.15)  # of the amplitude


@pytest.mark.parametrize("options", ["/some/where", "size=64", "images=0", "images=2001", "colour=1"])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(DatasetError, match="objects"):
        load_dataset(f"objects:{options}")
