"""What is there in place of a device that is not, and which airs run."""

import json

from hil.radios.others import others_there
from hil.radios.virtual.known import noted, statuses


def test_serials_are_told_and_a_failing_search_is_not():
    assert others_there(lambda: []) == "; none of its kind is there"
    assert others_there(lambda: [{"serial": "30F1", "product": "B210", "x": "y"}, {}]) == (
        "; there are: serial 30F1, product B210; one that does not say what it is"
    )
    assert others_there(lambda: 1 / 0) == ""


def test_an_air_that_is_gone_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with noted(1):  # nobody listens there
        file = next(tmp_path.glob("*/*.json"))
        assert json.loads(file.read_text()) == {"control_port": 1}
        assert statuses() == []
        assert not file.exists()
