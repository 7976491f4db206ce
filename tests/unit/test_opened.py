"""What a third party's code opens is noted, however it opens it and whenever; what others open is not."""

import json

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hil.foreign import files_of, load_foreign

READERS = {
    "torch.pt": ("import torch", "torch.load({path!r}, weights_only=True)"),
    "mapped.pt": ("import torch", "torch.load({path!r}, weights_only=True, mmap=True)"),
    "weights.safetensors": ("from safetensors.torch import load_file", "load_file({path!r})"),
    "opened.safetensors": ("from safetensors import safe_open", "safe_open({path!r}, framework='pt').keys()"),
    "table.npy": ("import numpy as np", "np.load({path!r})"),
    "map.npy": ("import numpy as np", "np.load({path!r}, mmap_mode='r')"),
    "raw.bin": ("import numpy as np", "np.fromfile({path!r})"),
    "set.h5": ("import h5py", "h5py.File({path!r}, 'r').keys()"),
    "script.jit": ("import torch", "torch.jit.load({path!r})"),
    "words.json": ("import json", "json.load(open({path!r}))"),
    "text.txt": ("from pathlib import Path", "Path({path!r}).read_text()"),
    "low.txt": ("import os", "os.read(os.open({path!r}, os.O_RDONLY), 1)"),
}


def written(folder):
    """A file of each kind."""
    tensors = {"w": torch.ones(3)}
    for name in ("torch.pt", "mapped.pt"):
        torch.save(tensors, folder / name)
    for name in ("weights.safetensors", "opened.safetensors"):
        save_file(tensors, folder / name)
    for name in ("table.npy", "map.npy"):
        np.save(folder / name, np.ones(3))
    np.ones(3).tofile(folder / "raw.bin")
    with h5py.File(folder / "set.h5", "w") as file:
        file["x"] = 1
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), folder / "script.jit")
    (folder / "words.json").write_text(json.dumps({}))
    for name in ("text.txt", "low.txt"):
        (folder / name).write_text("x")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(READERS))
@pytest.mark.parametrize("when", ["import", "construction", "call", "module", "late"])
def test_every_way_to_open_a_file_is_seen_whenever_it_is(tmp_path, name, when):
    written(tmp_path)
    (tmp_path / "lab").mkdir()
    first, call = READERS[name]
    path = str(tmp_path / name)
    call = call.format(path=path)
    body = {
        "import": f"{first}\n{call}\nclass Mine:\n    def go(self): pass\n",
        "construction": f"{first}\nclass Mine:\n    def __init__(self): {call}\n    def go(self): pass\n",
        "call": f"{first}\nclass Mine:\n    def go(self): {call}\n",
        "module": "import helper\nclass Mine:\n    def go(self): pass\n",
        "late": "import helper\nclass Mine:\n    def go(self): helper.go()\n",
    }[when]
    (tmp_path / "lab" / "mine.py").write_text(body)
    lines = f"{first}\n{call if when == 'module' else ''}\ndef go(): {call}\n"
    (tmp_path / "lab" / "helper.py").write_text(lines)
    made = load_foreign(f"{tmp_path / 'lab' / 'mine.py'}:Mine", "scheme", call=True)
    assert (tmp_path / name in files_of(tmp_path / "lab" / "mine.py").opened) == (when not in ("call", "late"))
    made.go()
    files = files_of(tmp_path / "lab" / "mine.py")
    assert list(files.opened) == [tmp_path / name]
    used = {"mine.py", "helper.py"} if when in ("module", "late") else {"mine.py"}
    assert {file.name for file in files.code} == used


def test_what_is_not_the_codes_own_is_not_noted(tmp_path):
    for name in ("ours.txt", "theirs.txt", "made.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "mine.py").write_text(
        f"""
import json, os, tempfile, wave, xml.dom.minidom  # libraries read their own files
from pathlib import Path

class Mine:
    def __init__(self):
        Path({str(tmp_path / "theirs.txt")!r}).read_text()
        Path("/proc/self/status").read_text()
        Path({str(tmp_path / "made.txt")!r}).write_text("y")
        Path({str(tmp_path / "made.txt")!r}).read_text()
        with tempfile.TemporaryDirectory() as folder:
            os.system(f"echo x > {{folder}}/coded.bin")  # as an external encoder would
            Path(folder, "coded.bin").read_bytes()
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).read_bytes()

    def callback(self, function):
        return function()
"""
    )
    load_foreign(f"{tmp_path / 'mine.py'}:Mine", "scheme", call=True)
    (tmp_path / "ours.txt").read_text()
    assert list(files_of(tmp_path / "mine.py").opened) == [tmp_path / "theirs.txt"]


def test_two_files_are_told_apart_and_an_edited_one_starts_anew(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("x")
        code = f"class Mine:\n    def __init__(self): open({str(tmp_path / f'{name}.txt')!r}).close()\n"
        (tmp_path / f"{name}.py").write_text(code)
        load_foreign(f"{tmp_path / f'{name}.py'}:Mine", "scheme", call=True)
    assert [list(files_of(tmp_path / f"{name}.py").opened) for name in ("a", "b")] == [
        [tmp_path / "a.txt"],
        [tmp_path / "b.txt"],
    ]
    (tmp_path / "a.py").write_text("class Mine:\n    pass\n")
    load_foreign(f"{tmp_path / 'a.py'}:Mine", "scheme", call=True)
    assert list(files_of(tmp_path / "a.py").opened) == []
    assert list(files_of(tmp_path / "none.py").code) == []


def test_an_error_of_the_code_is_its_own(tmp_path):
    (tmp_path / "mine.py").write_text("class Mine:\n    def go(self): open('/gone/for/good')\n")
    made = load_foreign(f"{tmp_path / 'mine.py'}:Mine", "scheme", call=True)
    with pytest.raises(FileNotFoundError):
        made.go()
