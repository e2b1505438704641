#!/usr/bin/env python3
"""Writes tests/data/augment_golden.txt: what SciPy 1.10, Pillow 9.4 and torchvision 0.14 (Debian 12: python3-scipy,
python3-pil, python3-torchvision) make of images with given parameters. Run it from the repository's root with Debian's
python3.

Two lines a case: the parameters (as the header names them), then every `stride`-th level of the result (3, size, size).
The image is the pattern of tests/dataset/golden.py, (size, size, 3)."""
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.functional as F
from PIL import Image
from scipy import ndimage

HEADER = "name size stride angle down right flip left top width height brightness contrast saturation order tolerance"
lines = [HEADER]


def pattern(size):
    state, out = 1, []
    for _ in range(size * size * 3):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state >> 16 & 255)
    return np.array(out, np.uint8).reshape(size, size, 3)


def keras(image, theta, tx, ty, flip):
    """ImageDataGenerator's apply_transform: rotation times shift about the centre, SciPy's order 1 and "nearest" on
    channels of floats, then the mirror. tx is along rows (down), ty along columns."""
    size, angle = image.shape[0], np.deg2rad(theta)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = size / 2 - 0.5, 0.5 - size / 2
    matrix = to @ rotation @ shift @ back
    channels = [ndimage.affine_transform(image[:, :, c].astype(np.float64), matrix[:2, :2], matrix[:2, 2], order=1,
                                         mode="nearest") for c in range(3)]
    result = np.stack(channels)
    return result[:, :, ::-1] if flip else result


def window(planes, left, top):
    """A window of the planes' own size; black beyond them."""
    size, far = planes.shape[1], max(abs(left), abs(top))
    wide = np.pad(planes, ((0, 0), (far, far), (far, far)))
    return wide[:, top + far : top + far + size, left + far : left + far + size]


def add(name, levels, tolerance=0.02, stride=1, angle=0, down=0, right=0, flip=0, left=0, top=0, width=None,
        height=None, brightness=1, contrast=1, saturation=1, order="012"):
    size = levels.shape[1]
    lines.append(f"{name} {size} {stride} {angle} {down} {right} {flip} {left} {top} {width or size} {height or size} "
                 f"{brightness} {contrast} {saturation} {order} {tolerance}")
    lines.append(" ".join(f"{v:.2f}".rstrip("0").rstrip(".") for v in np.asarray(levels).reshape(-1)[::stride]))


def keras_cases():
    image = pattern(12)
    add("rotated", keras(image, 15, 0, 0, False), angle=15)
    add("rotated-back-mirrored", keras(image, -7.3, 0, 0, True), angle=-7.3, flip=1)
    add("shifted", keras(image, 0, 1.2, -0.7, False), down=1.2, right=-0.7)
    add("all-of-the-paper", keras(image, 11.5, -0.9, 1.1, True), angle=11.5, down=-0.9, right=1.1, flip=1)
    add("far-out", keras(image, 180, 11, -11, False), angle=180, down=11, right=-11)
    large = keras(pattern(70), -13.7, 6.1, -4.4, True)
    add("more-than-a-block", large, stride=37, angle=-13.7, down=6.1, right=-4.4, flip=1)
    turned = window(keras(image, 9, 0.4, 0.3, False), 3, -2)
    add("turned-then-cropped", turned, angle=9, down=0.4, right=0.3, left=3, top=-2)


def torchvision_cases():
    image = pattern(12)
    pil = Image.fromarray(image)
    floats = torch.from_numpy(image).permute(2, 0, 1).double() / 255
    crop = F.crop(F.pad(pil, 4), 4 + 3, 4 - 4, 12, 12)
    add("crop-mirrored", np.asarray(F.hflip(crop)).transpose(2, 0, 1), tolerance=0, left=-4, top=3, flip=1)
    box = dict(top=2, left=3, height=7, width=9)
    resized = F.resized_crop(pil, *box.values(), [12, 12], F.InterpolationMode.BILINEAR)
    add("resized-crop-of-pillow", np.asarray(resized).transpose(2, 0, 1), tolerance=1, **box)
    resized = F.resized_crop(floats, *box.values(), [12, 12], F.InterpolationMode.BILINEAR) * 255
    add("resized-crop-of-floats", F.hflip(resized).numpy(), flip=1, **box)
    add("one-pixel", F.resized_crop(floats, 11, 0, 1, 1, [12, 12]).numpy() * 255, top=11, left=0, width=1, height=1)
    steps = [lambda x: F.adjust_brightness(x, 1.35), lambda x: F.adjust_contrast(x, 0.62),
             lambda x: F.adjust_saturation(x, 1.4)]
    for order in ["012", "210", "120"]:
        coloured = floats
        for step in order:
            coloured = steps[int(step)](coloured)
        add("jitter-" + order, coloured.numpy() * 255, brightness=1.35, contrast=0.62, saturation=1.4, order=order)
    grey = F.adjust_saturation(F.adjust_contrast(F.adjust_brightness(floats, 0.7), 1.5), 0.0)
    add("no-colour", grey.numpy() * 255, brightness=0.7, contrast=1.5, saturation=0.0)


keras_cases()
torchvision_cases()
Path("tests/data/augment_golden.txt").write_text("\n".join(lines) + "\n")
