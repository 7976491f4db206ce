"""The three definitions of mean average precision, against pycocotools and against plain Python; weights against copies."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.datasets.dataset import Dataset, Split
from hil.errors import ConfigError, ModelError
from hil.goals.contract import PerTask, Tasks
from hil.goals.detection.goal import Detection, DetectionJudge
from hil.goals.detection.matching import COCO_THRESHOLDS, match_coco, match_voc, overlaps
from hil.goals.detection.precision import MAP50, MAP50_VOC07, MAP_COCO, mean_average_precision
from hil.models.contract import Boxes
from tests.unit.goals.detection import reference
from tests.unit.goals.oracles import golden
from tests.unit.goals.oracles.cases import scenes

SIDE = 64


def dataset_of(found, classes) -> Dataset:
    """The scenes as a data set without pictures."""
    written = [np.where(scene.difficult, -1 - scene.classes, scene.classes).astype(np.float32) for scene in found]
    boxes = tuple(
        torch.from_numpy(np.concatenate([scene.objects, kinds[:, None]], axis=1))
        for scene, kinds in zip(found, written, strict=True)
    )
    split = Split(
        images=torch.zeros(len(found), 1, SIDE, SIDE, dtype=torch.uint8),
        names=tuple(map(str, range(len(found)))),
        boxes=boxes,
    )
    return Dataset(name="scenes", train=split, test=split, classes=tuple(f"c{number}" for number in range(classes)))


def boxes_of(found) -> Boxes:
    """The scenes' detections."""
    most = max(1, *(len(scene.boxes) for scene in found))
    made = Boxes(
        boxes=torch.zeros(len(found), most, 4),
        scores=torch.zeros(len(found), most),
        labels=torch.zeros(len(found), most, dtype=torch.int64),
        erased=torch.zeros(len(found), dtype=torch.bool),
    )
    for row, scene in enumerate(found):
        count = len(scene.boxes)
        made.boxes[row, :count] = torch.from_numpy(scene.boxes)
        made.scores[row, :count] = torch.from_numpy(scene.scores)
        made.labels[row, :count] = torch.from_numpy(scene.labels)
    return made


def judge_of(found, classes) -> DetectionJudge:
    everyone = torch.arange(len(found))
    tasks = Tasks(split="test", views=everyone[:, None], clusters=everyone)
    return DetectionJudge(dataset_of(found, classes), tasks, views=1, network=None)


def scored(found, classes) -> PerTask:
    everyone = torch.arange(len(found))
    return judge_of(found, classes).score(boxes_of(found), everyone, torch.zeros(len(found), dtype=torch.bool))


@pytest.mark.parametrize("name", ["sparse", "crowded", "large"])
def test_coco_agrees_with_pycocotools(name):
    kept = golden()["detection"][name]
    options = {key: kept[key] for key in ("seed", "images", "classes", "crowded") if key in kept}
    tasks = scored(scenes(**options), options.get("classes", 4))
    assert MAP_COCO.of(tasks) == pytest.approx(kept["map_coco"], abs=1e-6)
    first = {**tasks.values, "at50": tasks.values["coco"][..., 0]}
    at50 = mean_average_precision("101", "at50", first, torch.ones(len(tasks), dtype=torch.float64))
    assert float(at50) == pytest.approx(kept["map50_101"], abs=1e-6)


@given(
    seed=st.integers(0, 10**6),
    images=st.integers(1, 12),
    classes=st.integers(1, 4),
    crowded=st.booleans(),
    difficult=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_all_three_agree_with_a_slow_reference(seed, images, classes, crowded, difficult):
    found = scenes(seed, images=images, classes=classes, crowded=crowded, difficult=difficult)
    tasks = scored(found, classes)
    assert MAP50.of(tasks) == pytest.approx(reference.voc(found, classes), abs=1e-9, nan_ok=True)
    assert MAP50_VOC07.of(tasks) == pytest.approx(reference.voc07(found, classes), abs=1e-9, nan_ok=True)
    assert MAP_COCO.of(tasks) == pytest.approx(reference.coco(found, classes), abs=1e-9, nan_ok=True)


@given(seed=st.integers(0, 10**6), classes=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_a_task_drawn_twice_counts_twice_and_one_not_drawn_not_at_all(seed, classes):
    found = scenes(seed, images=8, classes=classes)
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (5, 8))
    tasks = scored(found, classes)
    for metric, slow in ((MAP50, reference.voc), (MAP50_VOC07, reference.voc07), (MAP_COCO, reference.coco)):
        together = metric.over(tasks, torch.from_numpy(weights.astype(float)))
        for one, row in zip(together.tolist(), weights, strict=True):
            copies = [scene for scene, times in zip(found, row, strict=True) for _ in range(times)]
            if copies:
                assert one == pytest.approx(slow(copies, classes), abs=1e-9, nan_ok=True)


def test_voc_and_coco_differ_where_an_object_is_already_taken():
    """Two objects overlap by 2/3; the second detection overlaps the taken one most, and the free one by .6."""
    objects = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0]]])
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.5, 0.0, 10.5, 10.0]]])
    shared = overlaps(boxes, objects)
    assert shared[0, 0].tolist() == pytest.approx([1.0, 8 / 12])
    assert shared[0, 1].tolist() == pytest.approx([9.5 / 10.5, 8.5 / 11.5])
    plain = torch.zeros(1, 2, dtype=torch.bool)
    assert match_voc(shared, plain).tolist() == [[1, 0]]
    by_coco = match_coco(shared, plain)
    assert by_coco[0, :, 0].tolist() == [1, 1]
    reached = [threshold for threshold, right in zip(COCO_THRESHOLDS, by_coco[0, 1].tolist(), strict=True) if right]
    assert max(reached) == 0.7  # 8.5 / 11.5 = 0.739


def test_who_finds_a_difficult_object_is_neither_right_nor_wrong():
    """As above, and the first object is difficult: VOC passes both over; COCO looks for another object first."""
    objects = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0]]])
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.5, 0.0, 10.5, 10.0], [40.0, 0.0, 50.0, 10.0]]])
    shared, difficult = overlaps(boxes, objects), torch.tensor([[True, False]])
    assert match_voc(shared, difficult).tolist() == [[-1, -1, 0]]
    assert match_coco(shared, difficult)[0, :, 0].tolist() == [1, -1, 0]  # a plain object that overlaps enough goes first
    assert match_coco(shared, difficult)[0, :, 4].tolist() == [-1, 1, 0]  # at .7 the first overlaps the plain one by 2/3 only
    scene = scenes(3, images=1)[0]
    found = [replace(scene, difficult=np.ones_like(scene.difficult))]
    assert np.isnan(MAP50.of(scored(found, 4)))
    assert "not one box" in Detection().lacks(dataset_of(found, 4))


def test_the_curve_by_hand():
    """Three objects; hit, miss, hit: precisions 1, 1/2, 2/3 at recalls 1/3, 1/3, 2/3."""
    values = {
        "score": torch.tensor([[0.9, 0.8, 0.7]]),
        "label": torch.zeros(1, 3, dtype=torch.int64),
        "voc": torch.tensor([[True, False, True]]),
        "objects": torch.tensor([[3]]),
    }
    tasks = PerTask(values=values, scored=torch.ones(1, dtype=torch.bool))
    assert MAP50.of(tasks) == pytest.approx(1 / 3 + 2 / 9)
    assert MAP50_VOC07.of(tasks) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)  # recalls 0 … .3, then .4 … .6
    assert float(mean_average_precision("101", "voc", values, torch.ones(1, dtype=torch.float64))) == pytest.approx(
        (34 * 1 + 33 * 2 / 3) / 101  # recalls 0 … .33, then .34 … .66
    )


def test_equal_scores_are_taken_together_in_any_order():
    values = {
        "score": torch.tensor([[0.5, 0.5], [0.5, 0.2]]),
        "label": torch.zeros(2, 2, dtype=torch.int64),
        "voc": torch.tensor([[True, False], [False, True]]),
        "objects": torch.tensor([[1], [1]]),
    }
    ones = torch.ones(2, dtype=torch.float64)
    # after the three of score .5 one is right: 1/3 at recall 1/2; then 2/4 at recall 1, which is the better of the two
    assert float(mean_average_precision("all", "voc", values, ones)) == pytest.approx(0.5)
    turned = {name: value.flip(0) for name, value in values.items()}
    assert mean_average_precision("all", "voc", turned, ones) == mean_average_precision("all", "voc", values, ones)


def test_a_class_without_objects_is_left_out_and_none_at_all_is_undefined():
    found = scenes(5, images=6, classes=2)
    with_more = scored(found, 5)
    assert MAP50.of(with_more) == pytest.approx(reference.voc(found, 2))
    nothing = PerTask(
        values={name: value[:0] for name, value in with_more.values.items()},
        scored=torch.zeros(0, dtype=torch.bool),
    )
    assert np.isnan(MAP50.of(nothing))
    assert torch.isnan(MAP50.over(with_more, torch.zeros(6, dtype=torch.float64)))


def test_headline_matches_as_score_does_and_lost_tasks_have_no_detections():
    found = scenes(7, images=10, classes=3)
    judge, everyone = judge_of(found, 3), torch.arange(10)
    whole = judge.score(boxes_of(found), everyone, torch.zeros(10, dtype=torch.bool))
    fast = judge.headline(boxes_of(found), everyone)
    assert MAP50.of(fast) == MAP50.of(whole)
    assert "coco" not in fast.values
    lost = torch.zeros(10, dtype=torch.bool)
    lost[3:] = True
    broken = boxes_of(found)
    broken.boxes[3:] = torch.nan
    broken.scores[3:] = torch.nan
    some = judge.score(broken, everyone, lost)
    assert bool((some.values["score"][3:] == 0).all())
    assert torch.equal(some.values["objects"], whole.values["objects"])
    assert MAP50.of(some) < MAP50.of(whole)


def test_detections_may_come_in_any_order():
    found = scenes(8, images=10, classes=3)
    judge, everyone, kept = judge_of(found, 3), torch.arange(10), torch.zeros(10, dtype=torch.bool)
    made = boxes_of(found)
    order = torch.randperm(made.scores.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = Boxes(boxes=made.boxes[:, order], scores=made.scores[:, order], labels=made.labels[:, order], erased=made.erased)
    for metric in (MAP50, MAP50_VOC07, MAP_COCO):
        assert metric.of(judge.score(shuffled, everyone, kept)) == metric.of(judge.score(made, everyone, kept))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": torch.full((3, 2), 1.5)}, "scores in 0…1"),
        ({"scores": torch.zeros(3, 1)}, r"boxes \[3, n, 4\]"),
        ({"labels": torch.zeros(3, 2)}, "labels of int64"),
        ({"boxes": torch.full((3, 2, 4), torch.inf)}, "finite boxes"),
    ],
)
def test_wrong_boxes_are_named(change, message):
    parts = {"boxes": torch.zeros(3, 2, 4), "scores": torch.zeros(3, 2), "labels": torch.zeros(3, 2, dtype=torch.int64)}
    made = Boxes(**(parts | change), erased=torch.zeros(3, dtype=torch.bool))
    judge = judge_of(scenes(1, images=3, classes=2), 2)
    with pytest.raises(ModelError, match=message):
        judge.headline(made, torch.arange(3))


def test_what_a_data_set_lacks_is_said():
    goal, bare = Detection(), Split(images=torch.zeros(2, 1, 8, 8, dtype=torch.uint8), names=("a", "b"))
    dataset = Dataset(name="bare", train=bare, test=bare)
    assert goal.lacks(dataset) == "no boxes in 'test'"
    empty = Split(images=bare.images, names=bare.names, boxes=(torch.zeros(0, 5), torch.zeros(0, 5)))
    assert goal.lacks(Dataset(name="empty", train=empty, test=empty)) == "not one box in 'test'"
    assert goal.lacks(dataset_of(scenes(1), 4)) == ""
    tasks = goal.tasks(dataset, views=1, seed=0, limit=None)
    with pytest.raises(ConfigError, match="no boxes in 'test'"):
        DetectionJudge(dataset, tasks, views=1, network=None)


def test_many_drawings_cost_little_more_than_one():
    """What an interval needs, 400 drawings of 500 images, in one call and in memory that is bounded."""
    tasks = scored(scenes(9, images=500, classes=5), 5)
    weights = torch.from_numpy(np.random.default_rng(1).multinomial(500, np.full(500, 1 / 500), 400).astype(float))
    together = MAP50.over(tasks, weights)
    alone = torch.stack([MAP50.over(tasks, row) for row in weights[::97]])
    torch.testing.assert_close(together[::97], alone, rtol=1e-12, atol=1e-12)
    assert together.std() > 0
