"""The goal image: the picture that came back beside the one that was sent.

Several transmitters send an image each. A task's value is then the mean over its images: of their PSNR for ``psnr`` (and of
their SSIM), of their squared error for ``psnr_of_mean``. A lost task has squared error 1 (white for black), PSNR 0 dB, SSIM 0;
an image received may fall below that SSIM (anti-correlated), never below that PSNR. An image that is right to the last bit has
`PSNR_CAP_DB`. Where a scheme conceals what it lost (its card says so), its stand-in is compared instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset
from hil.datasets.images import mean_image
from hil.errors import ModelError
from hil.goals.answers import blanked, expected, sent_images
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks
from hil.goals.image.similarity import MS_SSIM_SIDE, SSIM_SIDE, ms_ssim, psnr_db, ssim
from hil.goals.sampling import draw_tasks
from hil.models.card import OutputKind
from hil.models.contract import Images, Output, Scheme

__all__ = ["Image", "ImageJudge", "ImageOptions"]

COMPARED_AT_ONCE = 1 << 17
"""Pixel values compared in one go: what the processor's cache holds (5 times as fast as all at once)."""

TOLERANCE = 1e-4
"""How far outside 0…1 a decoder's pixel may be: rounding, no more."""


class ImageOptions(GoalOptions):
    """Nothing may be chosen of it."""


def _psnr_of_mean(values: Mapping[str, Tensor], weights: Tensor) -> Tensor:
    return psnr_db(weights @ values["mse"].double() / weights.sum(-1))


PSNR = Metric(name="psnr", unit="dB", better="higher", worst=0.0, headline=True, title="PSNR")
PSNR_OF_MEAN = Metric(
    name="psnr_of_mean", unit="dB", better="higher", worst=0.0, title="PSNR of the mean error", aggregate=_psnr_of_mean
)
SSIM = Metric(name="ssim", unit="1", better="higher", worst=0.0, title="SSIM")
MS_SSIM = Metric(name="ms_ssim", unit="1", better="higher", worst=0.0, title="MS-SSIM")


def _similarities(dataset: Dataset) -> tuple[Metric, ...]:
    """SSIM and MS-SSIM, where the images are large enough for their window."""
    side = min(dataset.image_size)
    return tuple(metric for metric, least in ((SSIM, SSIM_SIDE), (MS_SSIM, MS_SSIM_SIDE)) if side >= least)


class ImageJudge:
    """Compares images with those that were sent.

    Args:
        dataset: at the scheme's image size.
        tasks: the distinct tasks.
        views: images a task that the scheme sends.
        conceals: what the scheme puts out for a task that it gave up is compared like any other image.

    Raises:
        ConfigError: the tasks have fewer views.
    """

    def __init__(self, dataset: Dataset, tasks: Tasks, *, views: int, conceals: bool = False) -> None:
        self._dataset, self._split = dataset, dataset.split(tasks.split)
        self._sent, self._conceals = sent_images(tasks, views), conceals
        self._similarities = tuple(metric.name for metric in _similarities(dataset))

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """PSNR, squared error and, where the images are large enough, SSIM of each row.

        Raises:
            ModelError: the output holds no images, or not those that the scheme should give.
        """
        found = expected(output, Images, "image").images
        if not self._conceals:
            return self._score(found, index, lost, self._similarities)
        compared = self._score(found, index, torch.zeros_like(lost), self._similarities)
        return PerTask(values=compared.values, scored=~lost)

    def headline(self, output: Output, index: Tensor) -> PerTask:
        """PSNR of each row."""
        images = expected(output, Images, "image").images
        return self._score(images, index, torch.zeros(len(index), dtype=torch.bool), ())

    def references(self) -> Mapping[str, float | PerTask]:
        """``mean_image``: the mean of the images to train on, whatever was sent."""
        mean = mean_image(self._dataset.train.images)
        everyone = torch.arange(len(self._sent))
        same = mean.expand(len(everyone), self._sent.shape[1], *mean.shape)
        return {"mean_image": self._score(same, everyone, torch.zeros(len(everyone), dtype=torch.bool), self._similarities)}

    def _score(self, images: Tensor, index: Tensor, lost: Tensor, similarities: tuple[str, ...]) -> PerTask:
        wanted = (len(index), self._sent.shape[1], *self._split.images.shape[1:])
        if tuple(images.shape) != wanted or not images.is_floating_point():
            raise ModelError(
                f"the decoder must give float images {list(wanted)} (task, view, C, H, W), "
                f"not {images.dtype} {list(images.shape)}"
            )
        names = ("psnr", "mse", *similarities)
        parts: dict[str, list[Tensor]] = {name: [torch.zeros(0, dtype=torch.float64)] for name in names}
        step = max(1, COMPARED_AT_ONCE // max(1, images[:1].numel()))
        for rows in torch.arange(len(index)).split(step):
            found = self._compared(blanked(images[rows], lost[rows]), index[rows], similarities)
            for name in names:
                parts[name].append(found[name])
        values = {name: blanked(torch.cat(part), lost) for name, part in parts.items()}
        values["mse"] = values["mse"].masked_fill(lost, 1.0)
        return PerTask(values=values, scored=~lost)

    def _compared(self, images: Tensor, index: Tensor, similarities: tuple[str, ...]) -> dict[str, Tensor]:
        """Values of some rows, float64 [n] each."""
        if not bool(((images >= -TOLERANCE) & (images <= 1 + TOLERANCE)).all()):
            raise ModelError(
                f"images must lie in 0…1, not {float(images.min()):.3g}…{float(images.max()):.3g}; clamp them in the decoder"
            )
        count, views = images.shape[:2]
        got = images.flatten(0, 1)
        sent = self._split.float_images(self._sent[index].flatten())
        mse = (got.double() - sent.double()).square().mean((1, 2, 3))
        found = {"psnr": psnr_db(mse), "mse": mse}
        for name, measure in (("ssim", ssim), ("ms_ssim", ms_ssim)):
            if name in similarities:
                found[name] = measure(got, sent)
        return {name: value.view(count, views).mean(1) for name, value in found.items()}


class Image(Goal):
    """The image that came back, beside the one that was sent. See `hil.goals.contract.Goal`.

    SSIM needs images of 11 px a side, MS-SSIM of more than 160; of smaller ones they are left out, as no window fits.
    """

    name = "image"
    version = 1
    needs: OutputKind = "images"
    requires: tuple[type, ...] = ()
    options: type[GoalOptions] = ImageOptions
    metrics = (PSNR, PSNR_OF_MEAN)

    def metrics_for(self, dataset: Dataset) -> tuple[Metric, ...]:
        """PSNR both ways, and SSIM and MS-SSIM where the images are large enough."""
        return (*self.metrics, *_similarities(dataset))

    def lacks(self, dataset: Dataset) -> str:
        """Any images will do; features are none."""
        return "features instead of pictures" if dataset.sent.images.dtype == torch.float32 else ""

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Sets of `views` images, in an order drawn by `seed`; each image is in one task at most."""
        return draw_tasks(dataset, views=views, seed=seed, limit=limit)

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> ImageJudge:
        """Be ready to compare.

        Raises:
            ConfigError: the tasks have fewer views than the scheme has transmitters.
        """
        return ImageJudge(dataset, tasks, views=scheme.plan.transmitters, conceals=scheme.card.conceals)
