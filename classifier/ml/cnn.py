"""The convolutional network, in backend-neutral Keras 3, and its augmentation."""

from __future__ import annotations

import math
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from .preprocessing import Preprocessing

# name -> (channels, convolutions) of each stage; the picture is halved between stages.
NETWORKS: dict[str, tuple[tuple[int, int], ...]] = {
    "tiny": ((8, 1), (16, 1), (32, 1)),
    "small": ((32, 2), (64, 2), (128, 2), (256, 2)),
}


def build_network(name: str, *, side: int, classes: int, dropout: float = 0.3) -> keras.Model:
    """A VGG-like network: (N, side, side, 1) float32 in, (N, classes) float32 logits out.

    After Simonyan & Zisserman, "Very Deep Convolutional Networks", ICLR 2015, with batch normalisation and
    global average pooling instead of dense layers. Raises ValueError for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"There is no network {name!r}; choose one of {', '.join(NETWORKS)}")
    image = keras.Input((side, side, 1), name="image")
    x = image
    for stage, (channels, convolutions) in enumerate(NETWORKS[name]):
        if stage:
            x = layers.MaxPooling2D()(x)
        for _ in range(convolutions):
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
            x = layers.BatchNormalization(momentum=0.95)(x)
            x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(image, layers.Dense(classes, dtype="float32", name="logits")(x), name=f"cnn_{name}")


class AugmentedBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches of (images, targets) for `keras.Model.fit`.

    images: (N, S, S) uint8 gray. targets: (N, K) float32, rows that sum to 1. The order and the changes
    follow from `seed` and the epoch alone, so a resumed run sees what an unbroken one would.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        targets: NDArray[np.float32],
        *,
        preprocessing: Preprocessing,
        batch: int,
        seed: int,
        first_epoch: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.images, self.targets = images, targets
        self.preprocessing, self.batch, self.seed = preprocessing, batch, seed
        self.epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        images = np.stack([augment(self.images[i], rng) for i in chosen])
        return self.preprocessing(images), self.targets[chosen]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))


def augment(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One changed copy of an (S, S) uint8 gray face: nothing here changes the expression.

    Mirroring; rotation up to 15°, scale 0.85 to 1.15 and shift up to 8 % (what an imprecise detector does);
    gamma and blur (what a camera does); and one erased rectangle (DeVries & Taylor, "Cutout", 2017).
    """
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D(
        ((side - 1) / 2, (side - 1) / 2), rng.uniform(-15, 15), rng.uniform(0.85, 1.15)
    )
    turn[:, 2] += rng.uniform(-0.08, 0.08, 2) * side
    if rng.random() < 0.5:
        turn = turn @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]])
    out = cv2.warpAffine(image, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.3:
        out = cv2.LUT(out, _gamma_table(rng.uniform(0.6, 1.6)))
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.5:
        h, w = rng.integers(side // 6, side // 3, 2)
        y, x = rng.integers(0, side - h), rng.integers(0, side - w)
        out[y : y + h, x : x + w] = rng.integers(0, 256)
    return out.astype(np.uint8, copy=False)


def _gamma_table(gamma: float) -> NDArray[np.uint8]:
    return (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
