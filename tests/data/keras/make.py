#!/usr/bin/env python3
"""Files as Keras writes them (with h5py, as Keras does), of small networks, and what they become, by numpy.

    make.py FOLDER

The layout is that of Keras's saving/legacy/hdf5_format.py: fixed-length names in the attributes, or variable-length ones as
older h5py wrote; datasets of 32-bit floats; a layer without weights has an empty list."""
import json, struct, sys
import h5py, numpy

random = numpy.random.default_rng(5)
WIDTH = 0.01


def scaled(channels, width=WIDTH):
    return max(1, int(channels * width + 0.5))


def draw(*shape):
    return random.standard_normal(shape).astype("<f4")


def write(path, layers, under=None, variable=False, splits=None, nested=None):
    """layers: [(group, [(weight name, values)])]"""
    with h5py.File(path, "w") as file:
        root = file.create_group(under) if under else file
        kind = h5py.string_dtype() if variable else None

        def names(group, key, values):
            values = [v.encode() for v in values]
            group.attrs.create(key, values, dtype=kind) if variable and values else group.attrs.__setitem__(key, values)

        groups = [g for g, _ in layers]
        if splits:
            for i in range(0, len(groups), splits):
                names(root, f"layer_names{i // splits}", groups[i:i + splits])
        else:
            names(root, "layer_names", groups)
        root.attrs["backend"] = b"tensorflow"
        root.attrs["keras_version"] = b"2.1.6"
        for name, weights in layers:
            group = root.create_group(name)
            names(group, "weight_names", [w for w, _ in weights])
            for weight, values in weights:
                group.create_dataset(weight, data=values)


def save(path, tensors):
    header, at = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(numpy.ascontiguousarray(values).tobytes())


def kernel(values, first):
    return (values[:, :, ::-1, :] if first else values).transpose(3, 2, 0, 1)


def vgg(blocks, naming, head):
    """naming(layer, "kernel" or "bias") is the weight's name."""
    layers, expected, at, ins = [("input_1", [])], {}, 0, 3
    for block, count in enumerate(blocks):
        outs = scaled([64, 128, 256, 512, 512][block])
        for i in range(count):
            layer, k, b = f"block{block + 1}_conv{i + 1}", draw(3, 3, ins, outs), draw(outs)
            layers.append((layer, [(naming(layer, "kernel"), k), (naming(layer, "bias"), b)]))
            expected[f"features.{at}.weight"] = kernel(k, at == 0)
            expected[f"features.{at}.bias"] = b
            at, ins = at + 2, outs
        layers.append((f"block{block + 1}_pool", []))
        at += 1
    if not head:
        return layers, expected
    layers.append(("flatten", []))
    rows = 49 * ins
    for number, layer, outs in (0, "fc1", scaled(4096)), (3, "fc2", scaled(4096)), (6, "predictions", 10):
        k, b = draw(rows, outs), draw(outs)
        layers.append((layer, [(naming(layer, "kernel"), k), (naming(layer, "bias"), b)]))
        if number == 0:
            k = k.reshape(7, 7, ins, outs).transpose(2, 0, 1, 3).reshape(rows, outs)
        expected[f"classifier.{number}.weight"], expected[f"classifier.{number}.bias"] = k.T, b
        rows = outs
    return layers, expected


def resnet():
    """With the names of the first files: bn2a_branch2b, of 2017."""
    layers, expected = [("input_1", [])], {}

    def convolution(new, old, size, ins, outs, first=False):
        k, b = draw(size, size, ins, outs), draw(outs)
        layers.append((old, [(f"{old}_W_1:0", k), (f"{old}_b_1:0", b)]))
        expected[f"{new}.weight"], expected[f"{new}.bias"] = kernel(k, first), b

    def norm(new, old, outs):
        values = draw(outs), draw(outs), draw(outs), abs(draw(outs)) + 1
        layers.append((old, [(f"{old}_{n}_1:0", v) for n, v in zip(("gamma", "beta", "running_mean", "running_std"), values)]))
        for name, value in zip(("weight", "bias", "running_mean", "running_var"), values):
            expected[f"{new}.{name}"] = value

    convolution("conv1_conv", "conv1", 7, 3, scaled(64), True)
    norm("conv1_bn", "bn_conv1", scaled(64))
    ins = scaled(64)
    for stage, count in enumerate((3, 4, 6, 3)):
        width = scaled(64 << stage)
        for block in range(count):
            new, old = f"conv{stage + 2}_block{block + 1}", f"{stage + 2}{'abcdef'[block]}"
            parts = [(1, "branch2a", 1, ins, width), (2, "branch2b", 3, width, width), (3, "branch2c", 1, width, 4 * width)]
            if block == 0:
                parts.append((0, "branch1", 1, ins, 4 * width))
            for part, branch, size, a, b in parts:
                convolution(f"{new}_{part}_conv", f"res{old}_{branch}", size, a, b)
                norm(f"{new}_{part}_bn", f"bn{old}_{branch}", b)
            ins = 4 * width
    k, b = draw(ins, 7), draw(7)
    layers.append(("fc1000", [("fc1000_W_1:0", k), ("fc1000_b_1:0", b)]))
    expected["predictions.weight"], expected["predictions.bias"] = k.T, b
    return layers, expected


def main(folder):
    old = lambda layer, part: f"{layer}_{'W' if part == 'kernel' else 'b'}_1:0"
    new = lambda layer, part: f"{layer}/{part}:0"
    layers, expected = vgg((2, 2, 3, 3, 3), old, True)
    write(f"{folder}/vgg16.h5", layers)
    save(f"{folder}/vgg16.safetensors", expected)
    # a model of one's own around the base: what model.save writes, names in parts
    layers, expected = vgg((2, 2, 4, 4, 4), new, False)
    layers.append(("dense_1", [("dense_1/kernel:0", draw(4, 2)), ("dense_1/bias:0", draw(2))]))
    write(f"{folder}/vgg19.h5", layers, under="model_weights", variable=True, splits=7)
    save(f"{folder}/vgg19.safetensors", expected)
    layers, expected = resnet()
    write(f"{folder}/resnet50.h5", layers)
    save(f"{folder}/resnet50.safetensors", expected)


main(sys.argv[1])
