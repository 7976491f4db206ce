"""How each scheme of a run sees the pictures of the data set: at which size, in how many channels; and what is said of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hil.datasets.dataset import Dataset, load_dataset
from hil.errors import ConfigError
from hil.models.contract import Scheme
from hil.points.contender import Contender

__all__ = ["Form", "check_alike", "form_of", "forms_of", "in_forms", "said_of_sizes"]


class Form(NamedTuple):
    """Height and width, and channels, of pictures; None: the data set's own."""

    image_size: tuple[int, int] | None
    channels: int | None


def form_of(scheme: Scheme) -> Form:
    """What a scheme's card asks for."""
    return Form(scheme.card.image_size, scheme.card.channels)


def forms_of(schemes: Mapping[str, Scheme]) -> dict[str, Form]:
    """What each of a run's schemes is given.

    Schemes that put out pictures and take any size are given the size that the others want, where that is one: what is compared
    must be the same pictures.
    """
    pictures = [one.card.image_size for one in schemes.values() if one.card.outputs == "images"]
    wanted = {size for size in pictures if size is not None}
    common = wanted.pop() if len(wanted) == 1 else None
    found = {}
    for name, scheme in schemes.items():
        own = form_of(scheme)
        takes_any = own.image_size is None and scheme.card.outputs == "images"
        found[name] = own._replace(image_size=common) if takes_any else own
    return found


def in_forms(
    spec: str, schemes: Mapping[str, Scheme], forms: Mapping[str, Form], say: Callable[[str], None] | None
) -> dict[Form, Dataset]:
    """The data set in every form of a run; what it wants to be known is said once.

    Raises:
        DatasetError: it cannot be read, or not in one of these forms.
    """
    found = {form: load_dataset(spec, **form._asdict()) for form in dict.fromkeys(forms.values())}
    pictured = {forms[name] for name, scheme in schemes.items() if scheme.card.outputs == "images"}
    lines = [line for dataset in found.values() for line in dataset.remarks]
    lines += [line for form, dataset in found.items() if form in pictured for line in said_of_sizes(dataset)]
    for line in dict.fromkeys(lines):
        if say is not None:
            say(line)
    return found


def said_of_sizes(dataset: Dataset) -> list[str]:
    """That pictures are not sent as large as they are, in words; nothing where they are."""
    if not dataset.sizes_before:
        return []
    before, *others = (_by(size) for size in dataset.sizes_before)
    more = " (and other sizes)" if others else ""
    return [
        f"{dataset.name}: pictures of {before}{more} are brought to {_by(dataset.image_size)}, which is what is sent and "
        "judged; whole ones: hil.models.image.schemes.resized(scheme, (H, W)), see examples/large_pictures.py"
    ]


def check_alike(contenders: Mapping[str, Contender]) -> None:
    """Refuse schemes whose pictures one goal would compare though they are of different sizes.

    Raises:
        ConfigError: naming the goal, the sizes, and the ways out.
    """
    sizes: dict[str, dict[str, str]] = {}
    for name, one in contenders.items():
        for goal in one.goals.values():
            if goal.needs == "images":
                sizes.setdefault(goal.name, {}).setdefault(_by(one.dataset.image_size), name)
    for goal_name, found in sizes.items():
        if len(found) > 1:
            listed = ", ".join(f"'{name}' sends {size}" for size, name in found.items())
            raise ConfigError(
                f"goal '{goal_name}' would compare pictures of different sizes: {listed}. Run these apart, or bring one to the "
                "other's size with hil.models.image.schemes.resized(scheme, (H, W))"
            )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
