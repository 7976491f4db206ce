"""Configuration: frozen, checked at once, default < file < --set < flag, and TOML both ways."""

import tomllib

import pytest
from pydantic import Field

from hil.config import Config, flattened, load_toml, merged, parse_settings, read_toml, resolve, to_toml, validate
from hil.errors import ConfigError


class Inner(Config):
    """A table."""

    width: int = Field(3, ge=1)
    note: str | None = None


class Outer(Config):
    """The whole."""

    name: str
    level: float = 0.5
    flag: bool = False
    values: tuple[float, ...] = (1.0, 2.0)
    inner: Inner = Inner()


def test_later_sources_win(tmp_path):
    file = tmp_path / "file.toml"
    file.write_text('name = "file"\nlevel = 1.0\n[inner]\nwidth = 10\nnote = "file"\n')

    def found(settings=(), flags=None):
        config, given = resolve(Outer, file=file, settings=parse_settings(settings), flags=flags or {}, source="test")
        return (config.name, config.level, config.flag, config.inner.width, config.inner.note), given

    assert found()[0] == ("file", 1.0, False, 10, "file")  # default < file
    assert found(("level=2.0", "inner.width=20"))[0] == ("file", 2.0, False, 20, "file")  # file < --set
    values, given = found(("level=2.0", "inner.width=20"), {"level": 3.0, "inner.width": 30})  # --set < flag
    assert values == ("file", 3.0, False, 30, "file")
    assert given == {"name": "file", "level": 3.0, "inner": {"width": 30, "note": "file"}}  # no defaults in what was given
    bare, _ = resolve(Outer, file=None, settings={}, flags={"name": "x"}, source="test")
    assert bare == Outer(name="x")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "caf\xc3\xa9"\n')
    assert load_toml(Outer, path).name == "café"


def test_every_problem_is_told_at_once_with_its_path(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('nmae = "x"\nlevel = "high"\n[inner]\nwidth = 0\ncolour = 1\n')
    with pytest.raises(ConfigError) as info:
        load_toml(Outer, path)
    text = str(info.value)
    assert text.startswith(f"{path}: ")
    for words in (
        "unknown key 'nmae' (known here: flag, inner, level, name, values)",
        "name: Field required",
        "level: ",
        "not 'high'",
        "inner.width: ",
        "not 0",
        "unknown key 'inner.colour'",
    ):
        assert words in text


def test_numbers_must_be_numbers():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="level"):
            validate(Outer, {"name": "x", "level": value}, "test")


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Outer(name="x").level = 2.0


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file: .*none\.toml"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = \n")
    with pytest.raises(ConfigError, match=r"broken\.toml is not valid TOML"):
        read_toml(tmp_path / "broken.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"\n')
    with pytest.raises(ConfigError, match=r"cannot read .*latin\.toml"):
        read_toml(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="cannot read"):
        read_toml(tmp_path)


def test_dotted_keys_make_tables_and_touch_nothing_else():
    data = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert merged(data, {"a.c.d": 9, "new.deep.er": 4, "e": 5}, "test") == {
        "a": {"b": 1, "c": {"d": 9}},
        "e": 5,
        "new": {"deep": {"er": 4}},
    }
    assert data == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    with pytest.raises(ConfigError, match=r"'a.b.x' cannot be set, 'b' is not a table"):
        merged(data, {"a.b.x": 1}, "test")
    nested = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert flattened(nested) == {"a.b": 1, "a.c.d": 2, "e": 3}
    assert merged({}, flattened(nested), "test") == nested


def test_settings_are_toml_values_or_words():
    assert parse_settings(("a=5", "b=0.0", "c=true", "d=[1, 2]", "e=x y", 'f="7"', "g.h={i=1}", "j=", "k=a=b")) == {
        "a": 5,
        "b": 0.0,
        "c": True,
        "d": [1, 2],
        "e": "x y",
        "f": "7",
        "g.h": {"i": 1},
        "j": "",
        "k": "a=b",
    }
    for wrong in ("t1.epochs", "=5", " =5"):
        with pytest.raises(ConfigError, match="--set needs KEY=VALUE"):
            parse_settings((wrong,))


def test_settings_of_a_model_have_its_keys():
    assert parse_settings(("inner.width=5",), Outer) == {"inner.width": 5}
    with pytest.raises(ConfigError, match=r"--set: unknown key 'out' \(known here: flag, inner, level, name, values\)"):
        parse_settings(("out=5",), Outer)


def test_toml_out_is_toml_in():
    config = Outer(name='a "b" \\ é', level=1e-3, flag=True, values=(0.5,), inner=Inner(width=7))
    text = to_toml(config)
    assert "note" not in text  # None is left out, which means the same
    assert validate(Outer, tomllib.loads(text), "test") == config
