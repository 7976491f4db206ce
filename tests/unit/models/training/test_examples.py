"""Pairs, held-out identities, and changes to training images."""

import pytest
import torch

from hil.errors import DatasetError
from hil.models.recipe import Augment
from hil.models.training.augment import augment_images
from hil.models.training.examples import draw_views, split_identities
from tests.unit.models.training.tiny import tiny


def test_pairs_are_of_one_identity_and_two_cameras_and_redrawn():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    cameras = torch.tensor([1, 2, 3, 1, 2, 5, 5, 1])
    generator = torch.Generator().manual_seed(0)
    draws = [draw_views(labels, cameras, generator) for _ in range(20)]
    for pairs in draws:
        assert sorted(pairs[:, 0].tolist()) == [0, 1, 2, 3, 4]  # 5, 6 share a camera, 7 is alone
        assert torch.equal(labels[pairs[:, 0]], labels[pairs[:, 1]])
        assert bool((cameras[pairs[:, 0]] != cameras[pairs[:, 1]]).all())
    assert len({tuple(pairs[pairs[:, 0] == 0][0].tolist()) for pairs in draws}) == 2
    same = draw_views(labels, cameras, generator, same_camera=True)
    assert sorted(same.tolist()) == [[5, 6], [6, 5]]
    with pytest.raises(DatasetError, match="partner"):
        draw_views(labels, torch.ones_like(labels), generator)


def test_three_views_are_of_three_cameras():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    cameras = torch.tensor([1, 2, 3, 3, 1, 2, 2])
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        tasks = draw_views(labels, cameras, generator, views=3)
        assert sorted(tasks[:, 0].tolist()) == [0, 1, 2, 3]  # identity 1 has two cameras
        assert all(sorted(cameras[task].tolist()) == [1, 2, 3] for task in tasks)
    assert draw_views(labels, cameras, generator, views=2, same_camera=True).shape == (4, 2)


def test_held_out_identities_are_apart_and_junk_is_left_out():
    data = tiny(identities=20).train
    data.identities[0:4] = 0
    data.identities[4:8] = -1
    kept, held = split_identities(data, 0.2, torch.Generator().manual_seed(0))
    assert (kept.classes, held.classes) == (14, 4)
    everyone = {*kept.identities.tolist()} | {*held.identities.tolist()}
    assert everyone == set(range(3, 21))
    assert not {*kept.identities.tolist()} & {*held.identities.tolist()}
    assert kept.labels.unique().tolist() == list(range(14))


def test_augmentation_does_what_it_says():
    images = torch.randint(0, 256, (64, 3, 16, 8), dtype=torch.uint8)
    plain = images.float() / 255
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(augment_images(images, Augment(), generator), plain)
    assert torch.equal(augment_images(images, Augment(flip=1.0), generator), plain.flip(-1))
    erased = (augment_images(images, Augment(erase=1.0), generator) != plain).any(1).float().mean((1, 2))
    assert float(erased.min()) > 0.01
    assert float(erased.max()) < 0.35
    shifted = augment_images(images, Augment(shift=1), generator)[:, :, 1:-1, 1:-1]
    windows = torch.stack([plain[:, :, y : y + 14, x : x + 6] for y in range(3) for x in range(3)])
    assert bool((windows == shifted).flatten(2).all(2).any(0).all())
    tinted = augment_images(torch.full_like(images, 100), Augment(colour=0.3), generator) * 255 / 100
    assert float(tinted.min()) >= 0.699
    assert float(tinted.max()) <= 1.301
