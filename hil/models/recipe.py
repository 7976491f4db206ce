"""Recipes: everything that decides what a training run makes, as one TOML file in `models/`.

A recipe names the scheme, its sizes, its data, its seed and the three training steps of the papers: T1 the feature
encoder alone, T2 the autoencoder on frozen features, T3 all together (Jankowski et al., Sec. 2.3; Lo et al., App. B).
A file may say ``extends = "NAME"``: all that it leaves out is then as in the recipe of that name beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from hil.config import Config, flattened, merged, read_toml, validate
from hil.errors import ConfigError
from hil.foreign import is_foreign
from hil.registry import DATASETS
from hil.spelling import did_you_mean

__all__ = [
    "BACKBONES", "GIVEN", "Augment", "Layers", "Peaks", "Recipe", "Semantic", "SnrRange", "Stage", "TrainingChannel",
    "find_recipe", "load_recipe", "on_features", "recipe_from_dict",
]  # fmt: skip

STAGE_NAMES = ("t1", "t2", "t3")
GIVEN = "identity"
"""The backbone of data sets that give features instead of pictures."""
COLOURS = 3
"""Channels of the pictures that all other networks take."""
BACKBONES = ("small-cnn", "resnet50", GIVEN)


class SnrRange(Config):
    """Training SNR in dB, drawn uniformly in [low, high] for each task."""

    low: float = -6.0
    high: float = 15.0

    @model_validator(mode="after")
    def _ordered(self) -> SnrRange:
        if self.low > self.high:
            raise ValueError(f"low must be at most high ({self.high} dB)")
        return self

    def __str__(self) -> str:
        return f"{self.low:g} dB" if self.low == self.high else f"uniform {self.low:g}…{self.high:g} dB"


class TrainingChannel(Config):
    """What lies between transmitters and receiver in training, beside the noise.

    Attributes:
        fading: ``rayleigh``: every task and link has a gain h ~ CN(0, 1) of its own (slow fading).
        through: ``symbols``: y = Σ h x + z with ideal knowledge; ``frames``: samples of whole frames, with estimated channels;
            ``capture``: gains and noise that tasks of captures met (`hil train --from-capture`).
        captures: what tells these captures from others (`hil.captures.Capture.identity`); they are not scored with the weights.
        phase_error_deg: standard deviation of each link's phase about the common one, drawn for every task.
        power_imbalance_db: standard deviation of each link's gain (dB), drawn for every task.
    """

    fading: Literal["none", "rayleigh"] = "none"
    through: Literal["symbols", "frames", "capture"] = "symbols"
    captures: tuple[str, ...] = ()
    phase_error_deg: float = Field(default=0.0, ge=0, le=180)
    power_imbalance_db: float = Field(default=0.0, ge=0, le=20)


class Peaks(Config):
    """A term of the loss through the channel: the peaks of the OFDM signal that symbols make (`hil.models.training.peaks`).

    Attributes:
        weight: of the mean over OFDM symbols of peak over mean power (dB), added to the loss.
        spreading, interleave: as `frame.spreading` and `frame.interleave` of the runs that the network is for. What a network
            may do about its peaks hangs on them: spread over carriers and mixed with other tasks, any symbols add up alike.
    """

    weight: float = Field(gt=0)
    spreading: Literal["none", "dft"] = "dft"
    interleave: bool = True


class Augment(Config):
    """Random changes to training images; all off by default.

    Attributes:
        flip: probability of a left-right flip.
        shift: largest shift in pixels, each way on each axis; edges are repeated.
        erase: probability of erasing a rectangle of 2…20 % of the area.
        colour: largest relative change of each colour channel's gain.
    """

    flip: float = Field(default=0.0, ge=0, le=1)
    shift: int = Field(default=0, ge=0)
    erase: float = Field(default=0.0, ge=0, le=1)
    colour: float = Field(default=0.0, ge=0, lt=1)


class Semantic(Config):
    """The loss ``semantic`` of image codecs (Sun et al.): feature maps of a task network, weighted by what they tell of it.

    Attributes:
        task_network: name of a trained classifier of images.
        weights: ``gradient`` (the paper's GSW), or ``uniform``: all 1 (its "w/o GSW").
        classes: whose logits are differentiated: the ``mean`` of all classes, the ``label``'s, or the ``predicted`` one's.
        temperature: τ; 0 is uniform, a large one leaves a single map.
        tap: after which of the four blocks maps are taken. After the last, the mean's weights hang on no image.
        pixel_weight: of the mean squared error of pixels beside; the paper has none.
    """

    task_network: str
    weights: Literal["gradient", "uniform"] = "gradient"
    classes: Literal["mean", "label", "predicted"] = "label"
    temperature: float = Field(default=100.0, ge=0)
    tap: int = Field(default=3, ge=1, le=4)
    pixel_weight: float = Field(default=0.0, ge=0)


class Layers(Config):
    """Sub-blocks of an image codec that refines, and the loss ``layers`` of its decoders (Mortaheb et al., eqs. 1 and 2).

    Attributes:
        uses: of each sub-block; empty: as the scheme divides them.
        alpha: α, weight of the pixels' squared error; 1 − α is the semantic loss's. The same in all layers.
        pixels: the squared error is the ``sum`` over the pixel values of an image, or their ``mean``.
        class_weights: β of each layer, a weight for each class; empty, or an empty one: 1.
        pool: of each layer, so many classes, the last ones, count as one in the semantic loss; empty: none.
        background: M outside of the labelled boxes of an image; 1: all pixels count alike.
        extractor: trained classifier of images that all extractors start from; None: as initialised, or by an own t1 on
            pictures as they are.
    """

    uses: tuple[int, ...] = ()
    alpha: float = Field(default=0.9, ge=0, le=1)
    pixels: Literal["sum", "mean"] = "sum"
    class_weights: tuple[tuple[float, ...], ...] = ()
    pool: tuple[int, ...] = ()
    background: float = Field(default=1.0, ge=0, le=1)
    extractor: str | None = None

    def pool_of(self, layer: int) -> int:
        """How many classes count as one in a layer (1, 2, …); 0 or 1: none do."""
        return self.pool[layer - 1] if self.pool else 0

    def weights_of(self, layer: int, classes: int) -> tuple[float, ...]:
        """β of a layer (1, 2, …), for each of so many classes."""
        given = self.class_weights[layer - 1] if self.class_weights else ()
        return given or (1.0,) * classes


class Stage(Config):
    """One training step.

    Attributes:
        epochs: passes over the training tasks; pairs are redrawn in each.
        batch_size: tasks a step.
        lr: learning rate at the start (its peak when `schedule` is ``cosine``).
        autoencoder_lr: factor on `lr` for encoders and decoders of the channel (0.1 in Lo et al.'s T3).
        lr_drops: epochs after which `lr` is multiplied by 0.1 (``steps``).
        schedule: ``steps``, or ``cosine``: 5 % linear warm-up, then half a cosine down to zero.
        optimiser: ``sgd`` (momentum 0.9) or ``adamw``.
        weight_decay: L2 regulariser (decoupled with ``adamw``).
        loss: ``cross_entropy`` over identities (of classifiers, classes), ``l1`` / ``mse`` between sent and decoded features
            (of image codecs, pixels), ``semantic`` and ``layers`` of image codecs, ``detection`` of detectors, or
            ``rate_accuracy``: ce_weight · cross-entropy + rate_weight · bits an image, of schemes that send bits.
        ce_weight, rate_weight: of ``rate_accuracy``; the papers' λ is one of the two, not the same one.
        label_smoothing: share of the target spread over all identities (``cross_entropy``).
        dropout: share of the features hidden from the classifiers (``cross_entropy``).
        warm_up: epochs in which the learning rate rises linearly from 0 to `lr`; with ``cosine`` instead of its 5 %.
        triplet: of t1, weight of the batch-hard triplet loss beside cross-entropy, mean over branches; 0: none.
        margin: of the triplet loss.
        per_identity: tasks of each identity in a batch of identity-balanced batches (K; P = batch_size / K identities);
            0: batches are drawn from all tasks.
    """

    epochs: int = Field(ge=0)
    batch_size: int = Field(default=16, ge=2)
    lr: float = Field(gt=0)
    autoencoder_lr: float = Field(default=1.0, gt=0)
    lr_drops: tuple[int, ...] = ()
    schedule: Literal["steps", "cosine"] = "steps"
    optimiser: Literal["sgd", "adamw"] = "sgd"
    weight_decay: float = Field(default=5e-4, ge=0)
    loss: Literal["cross_entropy", "l1", "mse", "rate_accuracy", "semantic", "layers", "detection"]
    ce_weight: float = Field(default=1.0, ge=0)
    rate_weight: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    warm_up: int = Field(default=0, ge=0)
    triplet: float = Field(default=0.0, ge=0)
    margin: float = Field(default=0.3, ge=0)
    per_identity: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _balanced(self) -> Stage:
        if self.per_identity and (self.batch_size % self.per_identity or self.batch_size == self.per_identity):
            raise ValueError(f"batch_size must be a multiple of per_identity ({self.per_identity}), two times or more")
        if self.triplet and self.per_identity < 2:
            raise ValueError("triplet needs batches with several tasks of an identity: per_identity of 2 or more, such as 4")
        return self


class Recipe(Config):
    """What to train, on what, and how.

    Attributes:
        name: name of the files made; the recipe file's stem.
        scheme: a name of the registry ``hil.registry.SCHEMES``.
        backbone: image -> feature network of each transmitter: ``small-cnn``, ``resnet50``, or anybody's, ``path.py:Class``;
            or ``identity``, where the data set gives features (``features:PATH``) as images of (1, `features`).
        features: feature length p.
        uses: complex channel uses q a task in all; the noiseless baselines have none.
        activation: non-linearity of image codecs, ``prelu`` or ``gdn`` (generalised divisive normalisation).
        binary_power: of codecs that send bits: ``antipodal``, ±1/√2 a dimension; ``literal``, 0 and 1 at mean power 1.
        classes: of a classifier of images, or of a detector.
        semantic: settings of the loss ``semantic``.
        layers: settings of codecs that refine, and of the loss ``layers``.
        latent: elements of the quantised vector, of schemes that send bits; None: as many as `features`.
        transmitters: of the schemes for several; the others have one.
        image_size: (height, width) in pixels.
        dataset: data set trained on unless the command line says otherwise.
        seed: fixes initial weights, order, augmentation, channel noise and SNRs.
        snr_db_train: a fixed value in dB, or a range drawn uniformly for each task.
        channel: trained through.
        peaks: weighs in the peaks of what is sent, of image codecs and of the retrieval codecs; None: they do not count.
        correlation_weight: λ of the loss's term λ·cos²(x_i, x_j), mean over pairs of transmitters (Lo et al., Sec. V-A).
        held_out: share of the training identities kept for validation, used only to choose between recipes.
        init: name of the recipe whose T1 (of image codecs, whose network) starts this one, instead of an own `t1`.
        pretrained: weights file (.pth, .pt, .safetensors) of the backbone, torchvision's for ``resnet50``, put in before T1.
        frozen: the backbone stays as it is put in, and its features are computed once.
        bnneck: a batch norm behind each backbone (BNNeck; Luo et al., Bag of Tricks, 2019): what is behind it is the feature
            that classifiers see and that is sent, what is before it is what the triplet loss sees.
        mixed_precision: backbones compute in bfloat16 where they can; all else in float32.
        augment: applied in T1 and T3.
        t1, t2, t3: the training steps; a step left out is not done.
    """

    name: str = ""
    scheme: str
    backbone: str = "small-cnn"
    features: int = Field(default=128, ge=1)
    uses: int = Field(default=64, ge=0)
    activation: Literal["prelu", "gdn"] = "prelu"
    binary_power: Literal["antipodal", "literal"] = "antipodal"
    classes: int = Field(default=10, ge=1)
    semantic: Semantic | None = None
    layers: Layers | None = None
    latent: int | None = Field(default=None, ge=1)
    transmitters: int = Field(default=2, ge=2, le=16)
    image_size: tuple[int, int] = (64, 32)
    dataset: str = Field(default_factory=lambda: DATASETS.defaults()[0])
    seed: int = Field(default=1, ge=0)
    snr_db_train: float | SnrRange = SnrRange()
    channel: TrainingChannel = TrainingChannel()
    peaks: Peaks | None = None
    correlation_weight: float = Field(default=0.0, ge=0)
    held_out: float = Field(default=0.1, ge=0, lt=1)
    init: str | None = None
    pretrained: str | None = None
    frozen: bool = False
    bnneck: bool = False
    mixed_precision: bool = False
    augment: Augment = Augment()
    t1: Stage | None = None
    t2: Stage | None = None
    t3: Stage | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.init is not None and self.t1 is not None:
            raise ValueError("give either 'init' (T1 of another recipe) or an own 't1', not both")
        if self.init is not None and self.init == self.name:
            raise ValueError("'init' names the recipe itself")
        if self.backbone not in BACKBONES and not is_foreign(self.backbone):
            raise ValueError(f"backbone must be of {', '.join(BACKBONES)}, or path.py:Class, not '{self.backbone}'")
        if self.pretrained is not None and self.backbone in ("small-cnn", GIVEN):
            raise ValueError("'pretrained' needs backbone = \"resnet50\" or path.py:Class")
        if any(stage.loss == "semantic" for stage in self.stages().values()) != (self.semantic is not None):
            raise ValueError('loss = "semantic" and a table [semantic] go together')
        if self.backbone == GIVEN and (self.image_size != (1, self.features) or self.augment != Augment()):
            raise ValueError(f"backbone '{GIVEN}' needs image_size = [1, {self.features}] (1, features) and no augment")
        if self.bnneck and self.fixed:
            raise ValueError(f"bnneck is trained with the backbone, so it needs one that is not frozen and not '{GIVEN}'")
        if any(stage is not None and stage.triplet for stage in (self.t2, self.t3)):
            raise ValueError("triplet is of t1 only")
        if self.t2 is not None and self.t2.loss in ("cross_entropy", "detection"):
            raise ValueError("t2.loss must be 'l1' or 'mse', or 'rate_accuracy' of schemes that send bits")
        if self.t1 is not None and self.t1.loss not in ("cross_entropy", "detection"):
            raise ValueError("t1.loss must be 'cross_entropy', or 'detection' of detectors")
        if self.t3 is not None and self.t3.loss in ("l1", "detection"):
            raise ValueError(
                "t3.loss must be 'cross_entropy', 'rate_accuracy' (schemes that send bits), or 'mse', 'semantic' or 'layers' "
                "(image codecs)"
            )
        return self

    @property
    def snr_range(self) -> SnrRange:
        """`snr_db_train` as a range; a fixed value has low = high."""
        snr = self.snr_db_train
        return snr if isinstance(snr, SnrRange) else SnrRange(low=snr, high=snr)

    @property
    def fixed(self) -> bool:
        """Whether no stage changes the backbones, so that features are computed once."""
        return self.frozen or self.backbone == GIVEN

    @property
    def channels(self) -> int | None:
        """Colour channels of the pictures that its network takes; None of features."""
        return None if self.backbone == GIVEN else COLOURS

    def stages(self) -> dict[str, Stage]:
        """The steps this recipe does, in order, by name."""
        found = {name: getattr(self, name) for name in STAGE_NAMES}
        return {name: stage for name, stage in found.items() if stage is not None and stage.epochs > 0}


def load_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe file, and those that it extends; `name` is the file's stem unless the file sets it.

    Raises:
        ConfigError: see `hil.config.load_toml`; it extends what is not there, or itself.
    """
    recipe = validate(Recipe, merged(_extended(path), overrides or {}, str(path)), str(path))
    return recipe if recipe.name else validate(Recipe, {**recipe.model_dump(), "name": path.stem}, str(path))


def _extended(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a recipe file over those of the recipe that it extends, table by table; `above`: files that extend it."""
    own = read_toml(path)
    base = own.pop("extends", None)
    if base is None:
        return own
    other = path.with_name(f"{base}.toml")
    if other in (path, *above):
        raise ConfigError(f"{path}: extends = {base!r} leads back to itself; name another recipe, or leave it out")
    if not isinstance(base, str) or not other.is_file():
        raise ConfigError(f"{path}: extends = {base!r} must name a recipe beside it, and there is no file {other}")
    found = _extended(other, (path, *above))
    found.pop("name", None)  # of its own file
    return merged(found, flattened(own), str(path))


def recipe_from_dict(data: dict[str, Any], source: str) -> Recipe:
    """Build a recipe from plain data, as stored in a weights file.

    Raises:
        ConfigError: naming `source` and each problem.
    """
    return validate(Recipe, data, source)


def on_features(spec: str, length: int) -> dict[str, Any]:
    """What changes in a recipe of pictures, by dotted key, so that it trains on features instead.

    Args:
        spec: of the data set that gives them.
        length: of a feature.
    """
    plain = {f"augment.{key}": value for key, value in Augment().model_dump().items()}
    given = {"backbone": GIVEN, "features": length, "image_size": (1, length), "dataset": spec}
    return {**given, **plain, "pretrained": None, "frozen": False, "bnneck": False, "mixed_precision": False}


def find_recipe(name_or_path: str, folders: list[Path]) -> Path:
    """The recipe file meant by a path or by a bare name looked up in `folders`.

    Raises:
        ConfigError: there is none; the message lists the recipes that there are.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return path
    for folder in folders:
        candidate = folder / (name_or_path if path.suffix == ".toml" else f"{name_or_path}.toml")
        if candidate.is_file():
            return candidate
    known = sorted({item.stem for folder in folders for item in folder.glob("*.toml")})
    looked = ", ".join(str(folder) for folder in folders)
    hint = did_you_mean(path.stem, known)
    raise ConfigError(
        f"no recipe '{name_or_path}'{hint}; no such file, and none of that name in {looked}; known: {', '.join(known)}"
    )
