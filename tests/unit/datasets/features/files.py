"""A file of features as somebody else would write it: by h5py alone."""

from pathlib import Path

import h5py
import numpy as np

LENGTH = 16
PEOPLE, CAMERAS, EACH = 24, 3, 2


def write(path: Path, *, views: int = 0, **changes: object) -> Path:
    """Half of the people to train on, the others asked for: a first image of a camera is a query, a second one gallery.

    Features are a direction a person with noise; `views` > 0 gives each transmitter its own. `changes` replace or, as None,
    leave out columns.
    """
    generator = np.random.default_rng(5)
    person, camera, place = (
        axis.ravel() for axis in np.meshgrid(np.arange(PEOPLE), np.arange(CAMERAS), np.arange(EACH), indexing="ij")
    )
    shape = (max(1, views), LENGTH)
    features = generator.normal(size=(PEOPLE, *shape))[person] + 0.3 * generator.normal(size=(len(person), *shape))
    asked = np.where(place == 0, "query", "gallery")
    columns = {
        "features": (features if views else features[:, 0]).astype(np.float32),
        "identities": person + 1,
        "cameras": camera + 1,
        "splits": np.where(person < PEOPLE // 2, "train", asked).astype("S"),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for key, values in columns.items():
            if values is not None:
                file[key] = values
    return path
