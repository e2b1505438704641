#!/usr/bin/env python3
"""Losses of PyTorch's training, for tests/nn/test_golden.c: python3 golden.py > ../data/nn_golden.txt

Needs torch and torchvision (Debian: python3-torch, python3-torchvision). Weights, images and labels come from a hash that
the test computes too, so that only losses are kept. A line: architecture width size classes batch optimizer learning_rate
momentum weight_decay, then the losses of ten steps on one batch, then loss and correct of an evaluation of it.
"""
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models import vgg as tv_vgg

STEPS = 10
# Double precision: what both float implementations are near.
DTYPE = torch.float32 if "--float" in sys.argv else torch.float64
CASES = [
    # architecture, width, size, classes, batch, optimizer, learning rate, momentum, weight decay
    # (rates at which PyTorch itself gives the same in single and double precision)
    ("lenet5", 1, 32, 10, 16, "sgd", 0.02, 0.9, 0),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.02, 0.9, 0.1),
    ("lenet5", 1, 32, 10, 16, "adam", 1e-3, 0, 0),
    ("lenet5", 2, 50, 7, 5, "adam", 1e-3, 0, 0.01),
    ("vgg16", 0.25, 32, 10, 8, "sgd", 0.003, 0.9, 0),
    ("vgg16", 0.25, 32, 10, 8, "sgd", 0.003, 0.9, 0.1),
    ("vgg16", 0.25, 32, 10, 8, "adam", 1e-4, 0, 0),
    ("vgg16", 0.25, 32, 10, 8, "adam", 1e-4, 0, 0.02),
    ("vgg16", 0.2, 75, 5, 4, "adam", 1e-5, 0, 0),
    ("vgg19", 0.125, 32, 10, 8, "adam", 1e-4, 0, 0),
    ("resnet18", 1, 32, 10, 16, "sgd", 2e-5, 0.9, 0),
    ("resnet18", 1, 32, 10, 16, "sgd", 2e-5, 0.9, 0.2),
    ("resnet18", 1, 32, 10, 16, "adam", 1e-5, 0, 0),
    ("resnet18", 1, 32, 10, 16, "adam", 1e-5, 0, 0.02),
    ("resnet18", 1, 50, 10, 16, "sgd", 2e-5, 0.9, 0.2),
    ("resnet50", 1, 32, 10, 32, "sgd", 1e-7, 0.9, 0),
    ("resnet50", 1, 32, 10, 32, "adam", 1e-7, 0, 0),
    ("resnet50", 1, 70, 10, 16, "sgd", 1e-7, 0.9, 0),
]


def mix(x):
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


def hashes(name, count):
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 % 2**64
    return mix(np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key))


def uniform(name, shape):
    """In [-1, 1), double."""
    count = int(np.prod(shape))
    return ((hashes(name, count) >> np.uint64(40)).astype(np.float64) / 2**23 - 1).reshape(shape)


def fill(name, shape):
    u = uniform(name, shape)
    if len(shape) > 1:
        return u * np.sqrt(6 / np.prod(shape[1:]))
    if name.endswith("running_var") or name.endswith("weight"):
        return 1 + 0.25 * u
    return 0.1 * u


class LeNet5(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        w = lambda n: round(n * width)
        self.conv1, self.conv2 = nn.Conv2d(3, w(6), 5), nn.Conv2d(w(6), w(16), 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(25 * w(16), w(120)), nn.Linear(w(120), w(84)), nn.Linear(w(84), classes)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.relu(self.conv2(x)), 2)
        x = nn.functional.adaptive_avg_pool2d(x, 5).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def vgg(letter, width, classes):
    w = lambda n: max(1, int(np.floor(n * width + 0.5)))
    layers = [n if n == "M" else w(n) for n in tv_vgg.cfgs[letter]]
    features, channels = [], 3
    for n in layers:
        if n == "M":
            features.append(nn.MaxPool2d(2, 2))
        else:
            features += [nn.Conv2d(channels, n, 3, padding=1), nn.ReLU()]
            channels = n
    model = tv_vgg.VGG(nn.Sequential(*features), num_classes=classes, init_weights=False, dropout=0)
    h = w(4096)
    model.classifier = nn.Sequential(
        nn.Linear(channels * 49, h), nn.ReLU(), nn.Dropout(0), nn.Linear(h, h), nn.ReLU(), nn.Dropout(0), nn.Linear(h, classes)
    )
    return model


def build(architecture, width, classes):
    if architecture == "lenet5":
        return LeNet5(width, classes)
    if architecture.startswith("vgg"):
        return vgg({"vgg16": "D", "vgg19": "E"}[architecture], width, classes)
    return getattr(torchvision.models, architecture)(num_classes=classes)


def run(architecture, width, size, classes, batch, optimizer, rate, momentum, decay):
    model = build(architecture, width, classes)
    state = {
        name: torch.from_numpy(fill(name, tuple(t.shape)).astype(np.float32)).to(DTYPE)
        for name, t in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    model = model.to(DTYPE)
    model.load_state_dict(state, strict=False)
    images = torch.from_numpy((1.7 * uniform("images", (batch, 3, size, size))).astype(np.float32)).to(DTYPE)
    labels = torch.from_numpy((hashes("labels", batch) % np.uint64(classes)).astype(np.int64))
    if optimizer == "sgd":
        step = torch.optim.SGD(model.parameters(), rate, momentum=momentum, weight_decay=decay)
    else:
        step = torch.optim.Adam(model.parameters(), rate, weight_decay=decay)
    losses = []
    for _ in range(STEPS):
        step.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        step.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        scores = model(images)
        loss = nn.functional.cross_entropy(scores, labels).item()
        correct = int((scores.argmax(1) == labels).sum())
    return losses, loss, correct


def main():
    torch.set_num_threads(2)
    for case in CASES:
        losses, loss, correct = run(*case)
        print(*case, *(f"{x:.7g}" for x in losses), f"{loss:.7g}", correct)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
