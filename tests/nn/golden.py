#!/usr/bin/env python3
"""What PyTorch computes, for tests/nn/test_golden.c:

    python3 golden.py > ../data/nn_golden.txt
    python3 golden.py --gradients > ../data/nn_gradients.txt
    python3 golden.py --recipes > ../data/nn_recipes.txt
    python3 golden.py --families > ../data/nn_families.txt

Needs torch and torchvision (Debian: python3-torch, python3-torchvision). Weights, images and labels come from a hash that
the test computes too, so that only losses are kept. A line: architecture width size classes batch optimizer learning_rate
momentum weight_decay, then the losses of ten steps on one batch, then loss and correct of an evaluation of it.

Recipes: a line: architecture width size classes batch optimizer momentum nesterov weight_decay label_smoothing clip_norm,
then learning rate and loss of each of twenty steps, then the plain loss of an evaluation.

Families: a line: architecture width size batch shift optimizer learning_rate, then the losses of twenty steps (SGD with a
momentum of 0.9, or Adam) and of an evaluation.

Gradients: a line "case architecture width size classes batch shift draw", then a line for each tensor, gradient or moving
statistics after one step: name, norm, and the product with uniform("probe." + name). With --float single precision
computes them: how far that is from double is what the tests' tolerances stand on.
"""
import copy
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
    # (rates at which PyTorch itself gives the same in single and double precision: for a resnet50 they are tiny, as one
    # ReLU of many on the other side of 0 moves all gradients below by a percent; --gradients checks those without)
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
    ("resnet18", 1, 32, 10, 16, "sgd", 1e-3, 0.9, 0),
    ("resnet18", 1, 32, 10, 16, "sgd", 1e-3, 0.9, 0.5),
    ("resnet18", 1, 32, 10, 16, "adam", 1e-5, 0, 0),
    ("resnet18", 1, 32, 10, 16, "adam", 1e-5, 0, 0.02),
    ("resnet18", 1, 50, 10, 16, "sgd", 1e-3, 0.9, 0.5),
    ("resnet50", 1, 32, 10, 32, "sgd", 3e-8, 0.9, 0),
    ("resnet50", 1, 32, 10, 32, "adam", 1e-7, 0, 0),
    ("resnet50", 1, 70, 10, 16, "sgd", 3e-8, 0.9, 0),
]

RECIPE_STEPS = 20
# architecture, width, size, classes, batch, optimizer, rate, momentum, nesterov, decay, smoothing, clip, schedule
# schedule: None, ("step", warm-up, step, gamma) or ("cosine", warm-up, least rate); warm-up from a hundredth of the rate
RECIPES = [
    ("lenet5", 1, 32, 10, 16, "sgd", 0.01, 0.9, 1, 0, 0, 0, None),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.01, 0.9, 1, 0.05, 0, 0, None),
    ("vgg16", 0.25, 32, 10, 8, "sgd", 0.001, 0.9, 1, 0.1, 0, 0, None),
    ("resnet18", 1, 32, 10, 16, "sgd", 3e-5, 0.9, 1, 3, 0, 0, None),
    ("lenet5", 1, 32, 10, 16, "adamw", 1e-3, 0, 0, 0.01, 0, 0, None),
    ("lenet5", 1, 32, 10, 16, "adamw", 1e-3, 0, 0, 10, 0, 0, None),
    ("vgg16", 0.25, 32, 10, 8, "adamw", 1e-5, 0, 0, 300, 0, 0, None),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.01, 0.9, 0, 0, 0.1, 0, None),
    ("lenet5", 2, 50, 7, 5, "adam", 1e-3, 0, 0, 0, 0.3, 0, None),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.05, 0.9, 0, 0.01, 0, 0.5, None),
    ("lenet5", 1, 32, 10, 16, "adamw", 1e-3, 0, 0, 0.01, 0, 0.1, None),
    ("vgg16", 0.25, 32, 10, 8, "sgd", 0.001, 0.9, 0, 0, 0, 1, None),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.02, 0.9, 0, 0, 0, 0, ("cosine", 5, 1e-4)),
    ("lenet5", 1, 32, 10, 16, "sgd", 0.02, 0.9, 1, 0.01, 0.1, 1, ("step", 3, 6, 0.2)),
]

# architecture, width, size, classes, batch, shift: each batch normalisation's biases are +-shift. In a deep network some of
# so many values lie so near 0 that single precision puts them on the other side, and one such ReLU moves every
# gradient below it by a percent; shifted, few lie near 0.
GRADIENT_CASES = [
    ("vgg16", 0.25, 32, 10, 4, 0),
    ("resnet18", 0.25, 32, 10, 8, 0),
    ("resnet18", 0.5, 50, 10, 4, 0),
    ("resnet50", 0.25, 32, 10, 8, 3),
    ("resnet50", 0.25, 50, 10, 3, 3),
]
# The images are drawn again until every ReLU's input is this far from 0, as a part of its layer's deviation.
LEAST_MARGIN = {"vgg16": 3e-6, "resnet18": 1e-5, "resnet50": 2e-5}

FAMILY_STEPS = 20
# architecture, width, size, batch, shift (as in GRADIENT_CASES), optimizers and the rates to try first: each is divided by
# ten until PyTorch's single precision stays within FAMILY_MARGIN of double, with these images and with images that are a
# millionth off, so that it is not by luck. Ten classes.
FAMILIES = [
    ("vgg16_bn", 0.25, 32, 8, 0, {"sgd": 1e-5, "adam": 1e-6}),
    ("resnet50", 1, 64, 8, 3, {"sgd": 1e-6, "adam": 1e-6}),
    ("mobilenet_v2", 1, 64, 8, 0, {"sgd": 1e-6, "adam": 1e-6}),
    ("densenet121", 1, 64, 8, 0, {"sgd": 1e-6, "adam": 1e-6}),
    ("efficientnet_b0", 1, 64, 8, 0, {"sgd": 1e-3, "adam": 1e-4}),
    ("inception_v3", 1, 96, 6, 3, {"sgd": 1e-5, "adam": 1e-6}),
    ("shufflenet_v2_x1_0", 1, 64, 8, 0, {"sgd": 1e-6, "adam": 1e-6}),
    ("squeezenet1_1", 1, 64, 8, 0, {"sgd": 1e-3}),
    ("googlenet", 1, 64, 8, 3, {"sgd": 1e-5}),
    ("mobilenet_v3_small", 1, 64, 8, 0, {"sgd": 1e-4}),
    ("mnasnet1_0", 1, 64, 8, 0, {"sgd": 1e-6}),
    ("regnet_y_400mf", 1, 64, 8, 3, {"sgd": 1e-5}),
    ("convnext_tiny", 1, 64, 4, 0, {"sgd": 1e-4}),
    ("resnext50_32x4d", 1, 64, 8, 3, {"sgd": 1e-6}),
]
FAMILY_MARGIN = 2e-4


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


def resnet(architecture, width, classes):
    model = getattr(torchvision.models, architecture)(num_classes=classes)
    w = lambda n: max(1, int(np.floor(n * width + 0.5)))
    block, blocks = type(model.layer1[0]), [len(getattr(model, f"layer{i}")) for i in range(1, 5)]
    model.inplanes = w(64)
    model.conv1, model.bn1 = nn.Conv2d(3, w(64), 7, 2, 3, bias=False), nn.BatchNorm2d(w(64))
    for i in range(4):
        layer = model._make_layer(block, w(64 << i), blocks[i], stride=2 if i else 1)
        setattr(model, f"layer{i + 1}", layer)
    model.fc = nn.Linear(w(512) * block.expansion, classes)
    return model


def build(architecture, width, classes):
    if architecture == "lenet5":
        return LeNet5(width, classes)
    if architecture.startswith("vgg"):
        return vgg({"vgg16": "D", "vgg19": "E"}[architecture], width, classes)
    return resnet(architecture, width, classes)


def start(architecture, width, classes, shift=0):
    model = build(architecture, width, classes)
    state = {}
    for name, t in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        data = fill(name, tuple(t.shape))
        if shift and name.endswith("bias") and name != "fc.bias":
            data = np.where(data < 0, -shift, shift)
        state[name] = torch.from_numpy(data.astype(np.float32)).to(DTYPE)
    model = model.to(DTYPE)
    model.load_state_dict(state, strict=False)
    return model


def draw(batch, size, classes, number=0):
    images = (1.7 * uniform(f"images{number or ''}", (batch, 3, size, size))).astype(np.float32)
    labels = (hashes("labels", batch) % np.uint64(classes)).astype(np.int64)
    return torch.from_numpy(images).to(DTYPE), torch.from_numpy(labels)


def run(architecture, width, size, classes, batch, optimizer, rate, momentum, decay):
    model = start(architecture, width, classes)
    images, labels = draw(batch, size, classes)
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


def scheduler(optimizer, kind):
    s = torch.optim.lr_scheduler
    if kind is None:
        return s.LambdaLR(optimizer, lambda step: 1)
    warm_up = kind[1]
    if kind[0] == "step":
        rest = s.StepLR(optimizer, kind[2], gamma=kind[3])
    else:
        rest = s.CosineAnnealingLR(optimizer, RECIPE_STEPS - warm_up, eta_min=kind[2])
    start = s.LinearLR(optimizer, start_factor=0.01, total_iters=warm_up)
    return s.SequentialLR(optimizer, [start, rest], milestones=[warm_up])


def recipe(architecture, width, size, classes, batch, kind, rate, momentum, nesterov, decay, smoothing, clip, schedule):
    model = start(architecture, width, classes)
    images, labels = draw(batch, size, classes)
    if kind == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), rate, momentum, weight_decay=decay, nesterov=bool(nesterov))
    else:
        optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](model.parameters(), rate, weight_decay=decay)
    plan = scheduler(optimizer, schedule)
    print(architecture, width, size, classes, batch, kind, momentum, nesterov, decay, smoothing, clip, end="")
    for _ in range(RECIPE_STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=smoothing)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        print(f" {optimizer.param_groups[0]['lr']:.9g} {loss.item():.7g}", end="")
        optimizer.step()
        plan.step()
    model.eval()
    with torch.no_grad():
        print(f" {nn.functional.cross_entropy(model(images), labels).item():.7g}", flush=True)


def family(architecture, width, shift):
    if architecture == "vgg16_bn":
        layers = []
        for layer in vgg("D", width, 10).features:
            layers.append(layer)
            if isinstance(layer, nn.Conv2d):
                layers.append(nn.BatchNorm2d(layer.out_channels))
        model = vgg("D", width, 10)
        model.features = nn.Sequential(*layers)
    else:
        plain = {"aux_logits": False, "init_weights": False} if architecture in ("inception_v3", "googlenet") else {}
        model = getattr(torchvision.models, architecture)(num_classes=10, **plain)
    norms = {name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        data = fill(name, tuple(tensor.shape))
        if shift and name.endswith(".bias") and name[:-5] in norms:
            data = np.where(data < 0, -shift, shift)
        tensor.copy_(torch.from_numpy(data.astype(np.float32)))
    for module in model.modules():
        if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0
    return model


def follow(model, images, labels, kind, rate):
    optimizer = torch.optim.SGD(model.parameters(), rate, 0.9) if kind == "sgd" else torch.optim.Adam(model.parameters(), rate)
    losses = []
    for _ in range(FAMILY_STEPS):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        return losses + [nn.functional.cross_entropy(model(images), labels).item()]


def families(architecture, width, size, batch, shift, kind, rate):
    images, labels = draw(batch, size, 10)
    while True:
        losses = follow(family(architecture, width, shift).double(), images.double(), labels, kind, rate)
        off = 0
        for nearly in (images, images * (1 + 1e-6)):
            single = follow(family(architecture, width, shift), nearly.float(), labels, kind, rate)
            off = max(off, *(abs(s / d - 1) for s, d in zip(single, losses)))
        print(architecture, kind, rate, f"off by {off:.1e}", file=sys.stderr, flush=True)
        if off < FAMILY_MARGIN:
            break
        rate /= 10
    print(architecture, width, size, batch, shift, kind, f"{rate:.3g}", *(f"{x:.7g}" for x in losses), flush=True)


def margin(model, images):
    """The least input of a ReLU, as a part of the deviation of its layer."""
    least = []

    def look(_, inputs):
        least.append(float(inputs[0].abs().min() / inputs[0].std()))

    hooks = [m.register_forward_pre_hook(look) for m in model.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return min(least)


def gradients(architecture, width, size, classes, batch, shift):
    model = start(architecture, width, classes, shift)
    number = 0
    while True:
        images, labels = draw(batch, size, classes, number)
        if margin(copy.deepcopy(model).double(), images.double()) >= LEAST_MARGIN[architecture]:
            break
        number += 1
    print("case", architecture, width, size, classes, batch, shift, number)
    nn.functional.cross_entropy(model(images), labels).backward()
    tensors = {name: p.grad for name, p in model.named_parameters()}
    tensors.update({name: t for name, t in model.state_dict().items() if "running" in name})
    for name, t in tensors.items():
        t = t.double().numpy().reshape(-1)
        print(name, f"{np.linalg.norm(t):.9g} {t @ uniform('probe.' + name, t.shape):.9g}")
    sys.stdout.flush()


def main():
    torch.set_num_threads(2)
    if "--gradients" in sys.argv:
        for case in GRADIENT_CASES:
            gradients(*case)
        return
    if "--families" in sys.argv:
        for *case, optimizers in FAMILIES:
            for kind, rate in optimizers.items():
                families(*case, kind, rate)
        return
    if "--recipes" in sys.argv:
        for case in RECIPES:
            recipe(*case)
        return
    for case in CASES:
        losses, loss, correct = run(*case)
        print(*case, *(f"{x:.7g}" for x in losses), f"{loss:.7g}", correct)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
