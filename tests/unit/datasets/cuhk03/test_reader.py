"""CUHK03: two protocols of boxes, and pairs of one camera."""

from hil.datasets.dataset import load_dataset
from hil.goals.retrieval.tasks import make_tasks, positive_mask
from tests.unit.datasets.trees import cuhk, save


def test_cuhk03_pairs_two_images_of_one_camera(tmp_path):
    cuhk(tmp_path / "detected")
    cuhk(tmp_path / "labeled")
    save(tmp_path / "labeled" / "query" / "0009_c1_000001_01.png", (9, 9, 9))
    dataset = load_dataset(f"cuhk03:{tmp_path}")
    assert dataset.pairing == "same_camera"
    assert len(load_dataset(f"cuhk03:{tmp_path}?detected").query) == 8
    assert len(load_dataset(f"cuhk03:{tmp_path}?labeled").query) == 9
    tasks = make_tasks(dataset)
    assert len(tasks) == 4
    assert (tasks.cameras[:, 0] == tasks.cameras[:, 1]).all()
    counted = positive_mask(tasks, dataset.gallery)
    assert counted.sum(1).tolist() == [2] * 4
    assert (dataset.gallery.cameras[None] != tasks.cameras[:, :1])[counted].all()
