"""The goal image: values by hand, several views, what is left out of small images, and what is refused."""

import numpy as np
import pytest
import torch

from hil.datasets.dataset import Dataset, Split
from hil.errors import ConfigError, ModelError
from hil.goals.contract import Tasks
from hil.goals.image.goal import Image, ImageJudge
from hil.models.contract import Images
from tests.unit.goals.oracles import golden
from tests.unit.goals.oracles.cases import SMALL, image_pair


def dataset_of(images: torch.Tensor, train: torch.Tensor | None = None) -> Dataset:
    def split(own):
        return Split(images=own, names=tuple(map(str, range(len(own)))))

    return Dataset(name="grey", train=split(images if train is None else train), test=split(images))


def grey(*levels: int, size: tuple[int, int] = (4, 6)) -> torch.Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, *size).contiguous()


def judge_of(dataset, views=1) -> ImageJudge:
    tasks = torch.arange(len(dataset.test)).unflatten(0, (-1, views))
    return ImageJudge(dataset, Tasks(split="test", views=tasks, clusters=tasks[:, 0]), views=views)


def shown(dataset, views=1, shift=0.0) -> Images:
    images = dataset.test.float_images().unflatten(0, (-1, views)) + shift
    return Images(images=images, erased=torch.zeros(len(images), dtype=torch.bool))


def kept(count):
    return torch.zeros(count, dtype=torch.bool)


def test_values_by_hand():
    dataset = dataset_of(grey(0, 51, 102))
    judge, goal = judge_of(dataset), Image()
    made = shown(dataset)
    made.images[1] += 0.1
    made.images[2] += 0.01
    found = judge.score(made, torch.arange(3), kept(3))
    assert found.values["mse"].tolist() == pytest.approx([0, 0.01, 0.0001], abs=1e-8)
    assert found.values["psnr"].tolist() == pytest.approx([100, 20, 40], abs=1e-4)
    psnr, psnr_of_mean = goal.metrics
    assert psnr.of(found) == pytest.approx(160 / 3, abs=1e-4)
    assert psnr_of_mean.of(found) == pytest.approx(-10 * np.log10(0.0101 / 3), abs=1e-4)
    lost = judge.score(made, torch.arange(3), torch.tensor([False, True, False]))
    assert psnr.of(lost) == pytest.approx(140 / 3, abs=1e-4)
    assert psnr_of_mean.of(lost) == pytest.approx(-10 * np.log10(1.0001 / 3), abs=1e-4)


def test_several_views_are_averaged_in_the_task():
    dataset = dataset_of(grey(0, 100, 50, 150))
    made = shown(dataset, views=2)
    made.images[0, 1] += 0.1  # PSNR 100 and 20, squared error 0 and .01
    found = judge_of(dataset, views=2).score(made, torch.arange(2), kept(2))
    assert found.values["psnr"].tolist() == pytest.approx([60, 100], abs=1e-4)
    assert found.values["mse"].tolist() == pytest.approx([0.005, 0], abs=1e-8)


def test_ssim_and_ms_ssim_are_there_where_their_window_fits():
    names = {}
    for side in (10, 11, 160, 161):
        names[side] = [metric.name for metric in Image().metrics_for(dataset_of(grey(1, size=(side, 200))))]
    assert names[10] == ["psnr", "psnr_of_mean"]
    assert names[11] == names[160] == ["psnr", "psnr_of_mean", "ssim"]
    assert names[161] == ["psnr", "psnr_of_mean", "ssim", "ms_ssim"]


def test_ssim_of_the_goal_is_the_one_of_other_implementations():
    first, second = image_pair("noise", SMALL)
    stored = torch.from_numpy(np.round(first * 255).astype(np.uint8))[None]
    dataset = dataset_of(stored)
    made = Images(images=torch.from_numpy(second).float()[None, None], erased=kept(1))
    found = judge_of(dataset).score(made, torch.arange(1), kept(1))
    assert float(found.values["ssim"]) == pytest.approx(golden()["similarity"]["noise-small"]["ssim_skimage"], abs=2e-3)
    assert set(judge_of(dataset).headline(made, torch.arange(1)).values) == {"psnr", "mse"}


def test_the_mean_image_is_that_of_the_images_to_train_on():
    dataset = dataset_of(grey(0, 255, 102), train=grey(51, 153))
    (name, found), *others = judge_of(dataset).references().items()
    assert (name, others) == ("mean_image", [])
    assert found.values["mse"].tolist() == pytest.approx([0.16, 0.36, 0], abs=1e-6)  # the mean is .4


def test_what_is_not_an_image_of_the_right_size_is_named():
    dataset = dataset_of(grey(0, 51))
    judge = judge_of(dataset)
    for images, message in (
        (torch.zeros(2, 1, 3, 4, 5), r"float images \[2, 1, 3, 4, 6\]"),
        (torch.zeros(2, 2, 3, 4, 6), r"float images \[2, 1, 3, 4, 6\]"),
        (torch.zeros(2, 1, 3, 4, 6, dtype=torch.uint8), "float images"),
        (torch.full((2, 1, 3, 4, 6), 1.5), r"must lie in 0…1, not 1\.5…1\.5; clamp"),
        (torch.full((2, 1, 3, 4, 6), torch.nan), "must lie in 0…1"),
    ):
        with pytest.raises(ModelError, match=message):
            judge.headline(Images(images=images, erased=kept(2)), torch.arange(2))
    tasks = Tasks(split="test", views=torch.arange(2)[:, None], clusters=torch.arange(2))
    with pytest.raises(ConfigError, match="2 transmitters, and the tasks have 1 views"):
        ImageJudge(dataset, tasks, views=2)
