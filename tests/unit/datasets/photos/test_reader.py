"""Photos in folders of objects: who, by which camera, asked or searched."""

import numpy as np
import pytest
from PIL import Image

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError


def photos(root, objects=4, cameras=("door", "yard", "lane"), each=2, size=(8, 6)):
    for index in range(objects):
        for place, camera in enumerate(cameras):
            for number in range(each):
                path = root / f"object {index}" / f"{camera}_{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((*size, 3), 40 * index + 10 * place + number, np.uint8)).save(path)
    return root


def test_objects_are_identities_and_names_say_the_camera(tmp_path):
    data = load_dataset(f"folder:{photos(tmp_path)}")
    assert data.image_size == (8, 6)
    assert len(data.train) == 12
    assert (len(data.query), len(data.gallery)) == (6, 6)
    assert data.pairing == "cross_camera"
    assert set(data.train.identities.tolist()).isdisjoint(data.query.identities.tolist())
    assert sorted(set(data.query.cameras.tolist())) == [1, 2, 3]
    for split in data.splits.values():
        for image, name, who, where in zip(split.images[:], split.names, split.identities, split.cameras, strict=True):
            assert int(image[0, 0, 0]) // 40 == int(who) - 1 == int(name.split("/")[0][-1])
            assert ("door", "lane", "yard")[int(where) - 1] == name.split("/")[1].partition("_")[0]
    assert set(data.query.names).isdisjoint(data.gallery.names)


def test_another_seed_tests_other_objects(tmp_path):
    photos(tmp_path, objects=12)
    splits = {tuple(load_dataset(f"folder:{tmp_path}?split={seed}").query.names) for seed in range(4)}
    assert len(splits) > 1
    assert load_dataset(f"folder:{tmp_path}").query.names == load_dataset(f"folder:{tmp_path}?split=0").query.names


def test_a_cameras_only_photo_asks_and_is_searched(tmp_path):
    data = load_dataset(f"folder:{photos(tmp_path, each=1, cameras=('a', 'b'))}")
    assert data.query.names == data.gallery.names
    assert data.pairing == "same_camera"
    assert "no more than two cameras" in data.remarks[0]


def test_photos_of_another_size_are_said(tmp_path):
    data = load_dataset(f"folder:{photos(tmp_path)}", image_size=(4, 4))
    assert data.image_size == (4, 4)
    assert data.remarks == ("folder: 24 of 24 photos are of another size than 4x4 (most are 8x6): brought to it by crop",)


def test_what_does_not_fit_is_named(tmp_path):
    photos(tmp_path, objects=1)
    with pytest.raises(DatasetError, match="needs two objects"):
        load_dataset(f"folder:{tmp_path}")
    photos(tmp_path, objects=2)
    with pytest.raises(DatasetError, match=r"Option 'pairing' .* must be cross_camera"):
        load_dataset(f"folder:{tmp_path}?pairing=both")
    (tmp_path / "object 1" / "door_0.png").rename(tmp_path / "object 1" / "nameless.png")
    with pytest.raises(DatasetError, match="name must be CAMERA_ANYTHING"):
        load_dataset(f"folder:{tmp_path}")


def test_photos_are_measured_and_weights_of_other_data_are_told(tmp_path, hil, untrained):
    from hil.models.load import build_network
    from hil.models.recipe import load_recipe
    from hil.models.weights import write_weights
    from tests.conftest import ROOT

    recipe = load_recipe(ROOT / "models" / "jscc-single.toml")
    write_weights(
        tmp_path / "m" / "jscc-single.safetensors",
        build_network(recipe).state_dict(),
        recipe,
        dataset="synthetic",
        fingerprint="x",
    )
    photos(tmp_path / "photos", size=(80, 40))
    done = hil(
        "run", "--simulate", "awgn", "--schemes", "jscc-single", "--models", tmp_path / "m", "--snr", 3, "--draws", 1,
        "--tasks", 6,
        "--dataset", f"folder:{tmp_path / 'photos'}", "--out", tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    assert "photos are of another size than 64x32" in told
    assert "jscc-single: trained on 'synthetic', not on 'folder'" in told
