"""What a run without radios says of a digital chain, and the pictures that it shows; and of task networks of other data."""

import pytest

import hil
from hil.datasets.dataset import load_dataset
from hil.errors import ConfigError
from hil.goals.contract import Tasks
from hil.goals.detection.goal import DetectionJudge, DetectionOptions
from hil.goals.network import TaskNetwork
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.report.sent import sent_lines
from hil.report.view import View
from hil.runs.trained import other_networks


def test_a_simulated_digital_chain_says_what_it_sent_and_shows_pictures(tmp_path):
    found = hil.run(
        simulate="awgn", schemes=("digital-jpeg",), dataset="objects:images=4", goals=("image",), snr_db=(-20.0, 30.0),
        tasks=4, distinct_tasks=4, draws=1, out=tmp_path,
    )  # fmt: skip
    lost, clear = (row for row in found.points if row.source == "simulation")
    assert lost.model_extra["coding"]["fates"]["received"] == 0
    assert sum(clear.model_extra["coding"]["fates"].values()) == 4
    assert [one.task for one in clear.pictures] == [0, 1, 2]
    assert not any(one.received for one in lost.pictures)
    assert clear.pictures[0].sent == lost.pictures[0].sent
    assert sum(bool(one.received) for one in clear.pictures) <= clear.model_extra["coding"]["fates"]["received"]
    assert any("bits a pixel" in line and "lost:" in line for line in sent_lines(View(found)))


def test_a_task_network_of_other_data_is_told():
    options = {"detection": DetectionOptions(task_network="objects-detector")}
    assert other_networks(options, "objects") == []
    assert other_networks({"detection": DetectionOptions()}, "cifar10:/there") == []
    (line,) = other_networks(options, "voc:/there")
    assert "detection judges by task network 'objects-detector', which was trained on 'objects', not on 'voc'" in line


def test_a_detector_of_other_classes_is_refused():
    data = load_dataset("objects:images=2")
    views = data.test.label("class")[:1, None] * 0
    tasks = Tasks(split="test", views=views, clusters=views[:, 0])

    def judge(classes):
        network = build_network(Recipe(scheme="image-detector", image_size=(32, 32), classes=classes))
        return DetectionJudge(data, tasks, views=1, network=TaskNetwork(network))

    judge(len(data.classes))
    with pytest.raises(ConfigError, match="finds objects of 3 classes, and data set 'objects' has 10"):
        judge(3)
