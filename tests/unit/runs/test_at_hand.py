"""Schemes in memory: what is noted of them, and that a replay asks for the same one."""

import pytest
import torch

from hil.errors import ModelError
from hil.runs.at_hand import check_objects, noted_objects
from tests.unit.points.contenders import Pixels


class Scaled(Pixels):
    def __init__(self, gain=1.0):
        super().__init__()
        self.net = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(self.net.weight, gain)
        torch.nn.init.zeros_(self.net.bias)


def test_code_and_numbers_are_noted():
    note = noted_objects({"pixels": Scaled()})["object:pixels"]
    assert note.text.startswith("# tests.unit.runs.test_at_hand.Scaled\n# numbers: SHA-256 ")
    assert "class Scaled(Pixels):" in note.text
    assert "class Pixels" in note.text
    assert note == noted_objects({"pixels": Scaled()})["object:pixels"]
    assert note != noted_objects({"pixels": Scaled(2.0)})["object:pixels"]
    assert note != noted_objects({"pixels": Pixels()})["object:pixels"]


def test_another_object_or_none_is_refused():
    noted = noted_objects({"pixels": Scaled()})
    check_objects(noted, ["pixels", "jscc-noma"], {"pixels": Scaled()}, other=False)
    check_objects(noted, ["pixels"], {"pixels": Scaled(2.0)}, other=True)
    check_objects(noted, ["jscc-noma"], {}, other=False)
    check_objects({}, ["pixels"], {"pixels": Scaled()}, other=False)  # of before it was noted
    with pytest.raises(ModelError, match=r"object in memory .*Scaled.*objects=\{'pixels'"):
        check_objects(noted, ["pixels"], {}, other=True)
    with pytest.raises(ModelError, match=r"not the one on the air .*Scaled.*other_weights=True"):
        check_objects(noted, ["pixels"], {"pixels": Scaled(2.0)}, other=False)
