"""Deep JSCC of images: a convolutional codec from pixels to channel uses and back; blind, told the SNR, or by meaning."""

from hil.models.card import Card, Claim, SchemeEntry

SUN = "Sun et al., Deep Joint Source-Channel Coding for Wireless Image Transmission with Semantic Importance"

REGISTERED = (
    SchemeEntry(
        name="deep-jscc",
        target="hil.models.image.schemes:DeepJscc",
        summary="images, one transmitter, convolutional",
        card=Card(
            name="deep-jscc",
            paper="Bourtsoulatze et al., Deep Joint Source-Channel Coding for Wireless Image Transmission",
            section="III",
            outputs="images",
        ),
    ),
    SchemeEntry(
        name="deep-jscc-aware",
        target="hil.models.image.schemes:SnrAwareDeepJscc",
        summary="images, one transmitter, convolutional, encoder and decoder are told the SNR",
        card=Card(
            name="deep-jscc-aware",
            paper="Xu et al., Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules",
            section="III",
            outputs="images",
        ),
        claims=(
            Claim(
                paper="Xu et al., Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules",
                text="an SNR-aware network is at least as good as one that is not",
                first="deep-jscc-aware",
                second="deep-jscc",
                relation="≥",
                metric="psnr",
            ),
        ),
    ),
    SchemeEntry(
        name="deep-jscc-binary",
        target="hil.models.image.schemes:BinaryDeepJscc",
        summary="images, one transmitter, convolutional, elements are bits",
        card=Card(name="deep-jscc-binary", paper=SUN, section="IV", outputs="images"),
    ),
    SchemeEntry(
        name="sd-jscc",
        target="hil.models.image.schemes:BinaryDeepJscc",
        summary="the same, trained by semantic importance",
        card=Card(name="sd-jscc", paper=SUN, section="III", outputs="images"),
        claims=(
            Claim(
                paper=SUN,
                text="semantic importance raises the accuracy of what is received",
                first="sd-jscc",
                second="deep-jscc-binary",
                relation=">",
                metric="accuracy",
            ),
            Claim(
                paper=SUN,
                text="weights by gradients are better than equal ones",
                first="sd-jscc",
                second="sd-jscc-plain",
                relation=">",
                metric="accuracy",
            ),
        ),
    ),
    SchemeEntry(
        name="sd-jscc-plain",
        target="hil.models.image.schemes:BinaryDeepJscc",
        summary="the same, all feature maps weighted alike (w/o GSW)",
        card=Card(name="sd-jscc-plain", paper=SUN, section="IV", outputs="images"),
    ),
    SchemeEntry(
        name="image-classifier",
        target="hil.models.image.classifier:ImageClassifier",
        summary="images to classes, no channel: a task network",
        card=Card(name="image-classifier", paper="ours", outputs="logits", kind="bound"),
        reference=True,
    ),
    SchemeEntry(
        name="image-detector",
        target="hil.models.image.detector:ImageDetector",
        summary="images to boxes of objects, no channel: a task network",
        card=Card(name="image-detector", paper="ours", outputs="boxes", kind="bound"),
        reference=True,
    ),
)
