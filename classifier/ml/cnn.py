"""The convolutional network, in backend-neutral Keras 3, and the batches that it learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from .augmentation import augment
from .preprocessing import Preprocessing
from .teacher import Teacher

# name -> the channels of the first convolution, then for each stage its channels and residual blocks; the
# picture is halved in between. The channels are in sixteens: others TensorFlow normalizes in bfloat16 at a
# tenth of the speed.
NETWORKS: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {
    "tiny": (8, ((16, 0), (32, 0))),
    "small": (32, ((48, 1), (96, 1), (192, 1), (256, 0))),
}


def build_network(name: str, *, side: int, classes: int, dropout: float = 0.3) -> keras.Model:
    """A residual network: (N, side, side, 1) float32 in, (N, classes) float32 logits out.

    After He et al., "Deep Residual Learning", CVPR 2016. One convolution sees the picture at full size, for
    there its time would go, though without it two faces in a hundred are lost; most weights sit where it has
    shrunk to an eighth. Raises ValueError for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no network {name!r}; choose one of {', '.join(NETWORKS)}")
    first, stages = NETWORKS[name]
    image = keras.Input((side, side, 1), name="image")
    # The largest of four is cut off at zero, not the four: the same, and what `export` can leave in float32.
    x = layers.ReLU()(layers.MaxPooling2D()(_convolve(image, first)))
    for stage, (channels, blocks) in enumerate(stages):
        if stage:
            x = layers.MaxPooling2D()(x)
        x = layers.ReLU()(_convolve(x, channels))
        for _ in range(blocks):
            branch = _convolve(layers.ReLU()(_convolve(x, channels)), channels, gamma="zeros")
            x = layers.ReLU()(layers.Add()([x, branch]))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(image, layers.Dense(classes, dtype="float32", name="logits")(x), name=f"cnn_{name}")


def _convolve(x: Any, channels: int, *, gamma: str = "ones") -> Any:
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return BatchNormalization(momentum=0.98, gamma_initializer=gamma)(x)


@keras.saving.register_keras_serializable("classifier")
class BatchNormalization(layers.BatchNormalization):
    """Keras's, which TensorFlow computes in one piece while it trains: a step takes 0.6 of the time.

    Keras itself takes it apart, and turns bfloat16 into float32 on the way.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        normalized, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for kept, seen in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept.assign(self.momentum * kept + (1 - self.momentum) * seen)
        return normalized


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches of (images, targets) for `keras.Model.fit`.

    images: (N, S, S) uint8 gray. targets: (N, K) float32, rows that sum to 1. The order and the changes
    follow from `seed` and the epoch alone, so a resumed run sees what an unbroken one would. mixed_epochs:
    how many of the first epochs have `mixup`; those after them have `last_targets`. cut: the same faces as
    another detector cut them out, which in every epoch stand for `cut_share` of them. teachers: they take
    turns by the batch; what one answers for the very copy that the network sees counts for `taught_share` of
    the target. Beyer et al., "Knowledge Distillation: A Good Teacher Is Patient and Consistent", CVPR 2022.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: NDArray[np.float32],
        last_targets: NDArray[np.float32],
        *,
        preprocessing: Preprocessing,
        batch: int,
        seed: int,
        mixup: float = 0.0,
        mixed_epochs: int = 0,
        first_epoch: int = 0,
        cut: NDArray[np.uint8] | None = None,
        cut_share: float = 0.0,
        teachers: Sequence[Teacher] = (),
        taught_share: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.images, self.targets, self.last_targets = images, targets, last_targets
        self.preprocessing, self.batch, self.seed = preprocessing, batch, seed
        self.mixup, self.mixed_epochs = mixup, mixed_epochs
        self.cut, self.cut_share = images if cut is None else cut, cut_share
        self.teachers, self.taught_share = teachers, taught_share
        self.epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        as_cut = rng.random(len(chosen)) < self.cut_share
        sources = [self.cut if other else self.images for other in as_cut]
        images = np.stack([augment(source[i], rng) for source, i in zip(sources, chosen, strict=True)])
        tensors = self.preprocessing(images)
        # Keras ends an epoch before the first one, so that they count from 1 here.
        last = self.epoch > self.mixed_epochs
        targets = (self.last_targets if last else self.targets)[chosen]
        if self.teachers:
            taught = self.teachers[index % len(self.teachers)].answer(images)
            targets = (1 - self.taught_share) * targets + self.taught_share * taught
        return (tensors, targets) if last else mix(tensors, targets, self.mixup, rng)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))


def mix(
    images: NDArray[np.float32], targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lay another face of the batch over each, and mix their targets in the same proportion.

    The proportions are drawn from Beta(alpha, alpha). Zhang et al., "mixup", ICLR 2018.
    """
    if alpha == 0:
        return images, targets
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    partner = rng.permutation(len(images))
    over, beside = share[:, None, None, None], share[:, None]
    mixed = over * images + (1 - over) * images[partner]
    return mixed, beside * targets + (1 - beside) * targets[partner]
