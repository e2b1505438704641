#!/usr/bin/env python3
"""torchvision's architectures, for tests/nn/test_architectures.c:

    python3 architectures.py > ../data/nn_architectures.txt

Needs torch and torchvision (Debian: python3-torch, python3-torchvision). A line "architecture NAME SIZE PARAMETERS FLOPS"
(1000 classes, without auxiliary heads; the products of convolutions and dense layers, two FLOPs each), then a line for each
tensor of its state_dict: name and shape. A batch normalisation's four tensors are one line, "NAME.* CHANNELS".
"""
import sys
import warnings

import torch
import torchvision
from torch import nn

SIZES = {"inception_v3": 299}
NAMES = """
alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d wide_resnet50_2
squeezenet1_0 squeezenet1_1 densenet121 densenet169 googlenet inception_v3
mobilenet_v2 mobilenet_v3_small mobilenet_v3_large mnasnet1_0 shufflenet_v2_x1_0
efficientnet_b0 efficientnet_b1 regnet_y_400mf convnext_tiny
""".split()
AUXILIARY = {"googlenet": ["aux1", "aux2"], "inception_v3": ["AuxLogits"]}


def flops_of(model, size):
    total = 0

    def count(module, inputs, output):
        nonlocal total
        taps = module.weight[0].numel()
        total += 2 * taps * output.numel()

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    return total


def main():
    warnings.simplefilter("ignore")
    for name in NAMES:
        model = getattr(torchvision.models, name)()
        for head in AUXILIARY.get(name, []):
            setattr(model, head, None)
        size = SIZES.get(name, 224)
        parameters = sum(p.numel() for p in model.parameters())
        print("architecture", name, size, parameters, flops_of(model, size))
        norms = {n for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
        for tensor, t in model.state_dict().items():
            module, _, role = tensor.rpartition(".")
            if module not in norms:
                print(tensor, *t.shape)
            elif role == "weight":
                print(f"{module}.*", *t.shape)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
