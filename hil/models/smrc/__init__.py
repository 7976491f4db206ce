"""SMRC: images in layers, each a packet, that refine each other; and their classes, by extractors trained for what matters."""

from dataclasses import replace

from hil.models.card import Card, Claim, SchemeEntry

PAPER = "Mortaheb et al., Semantic Multi-Resolution Communications"
OWN = "smrc"
"""Whose weights most of them use."""

_IMAGES = Card(name=OWN, paper=PAPER, section="III", outputs="images")
_CLASSES = replace(_IMAGES, outputs="logits")


def _entry(name: str, attribute: str, summary: str, card: Card, weights: str = OWN) -> SchemeEntry:
    return SchemeEntry(
        name=name,
        target=f"hil.models.smrc.schemes:{attribute}",
        summary=summary,
        card=replace(card, name=name),
        weights="" if weights == name else weights,
    )


def _more_layers(name: str, base: str, text: str, metric: str) -> Claim:
    return Claim(paper=PAPER, text=text, first=name, second=base, relation=">", metric=metric)


REGISTERED = (
    replace(
        _entry(OWN, "Smrc", "images in two layers, both sent and read", _IMAGES),
        claims=(_more_layers(OWN, f"{OWN}-base", "the second layer brings the picture nearer", "psnr"),),
    ),
    _entry(f"{OWN}-base", "SmrcBase", "the same, the first layer alone sent and read", _IMAGES),
    replace(
        _entry(f"{OWN}-multicast", "SmrcMulticast", "both layers for two receivers, the second reads the first alone", _IMAGES),
        receivers=2,
    ),
    replace(
        _entry(f"{OWN}-classes", "SmrcClasses", "classes by the extractor of the second layer", _CLASSES),
        claims=(_more_layers(f"{OWN}-classes", f"{OWN}-base-classes", "the second layer raises the accuracy", "accuracy"),),
    ),
    _entry(f"{OWN}-base-classes", "SmrcBaseClasses", "classes by the extractor of the first layer, sent alone", _CLASSES),
    _entry(f"{OWN}-one-head", "SmrcOneHead", "images, all uses by one head: the bound of layers", _IMAGES, f"{OWN}-one-head"),
    *(
        _entry(f"{OWN}-{beta}-classes", "SmrcClasses", f"classes, second layer trained with {text}", _CLASSES, f"{OWN}-{beta}")
        for beta, text in (
            ("beta1", "β of 1 for the first five classes, 0 for the others"),
            ("beta2", "β of 1 for the first five classes, ½ for the others"),
            ("beta3", "the last five classes as one"),
        )
    ),
)
