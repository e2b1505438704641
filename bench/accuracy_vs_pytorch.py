#!/usr/bin/env python3
"""Trains the same network on the same images with PyTorch and with joulery, and compares the test accuracies.

Same architecture (torchvision's), initialisation scheme, normalisation (of the training images, by channel), order
scheme (a new shuffle each epoch, the last batch smaller), optimiser and settings; the random numbers differ, so that
accuracies agree only as far as those of two seeds do. Prints a line a run, then the means; exit status 1 if they are
more than --points apart.

  bench/accuracy_vs_pytorch.py --data /path/to/cifar10 --epochs 3 --seeds 0 1

DIR holds train/ and test/ with a folder of images for each class. Needs PyTorch and torchvision (Debian: python3-torch,
python3-torchvision).
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--joulery-train", default="build/release/bin/joulery-train", metavar="PROGRAM")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--augment", action="store_true", help="crops with 4 pixels of padding, and flips")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", choices=["joulery", "pytorch"], help="run one of the two")
    parser.add_argument("--points", type=float, default=2.0)
    return parser.parse_args()


def run_joulery(options, seed):
    """Test accuracy in percent after the last epoch, and images a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.json"
        command = [options.joulery_train, "train", "--arch", options.arch, "--data", f"folder:{options.data}"]
        for name in ("size", "epochs", "batch", "lr", "momentum", "threads"):
            command += [f"--{name}", str(getattr(options, name))]
        command += ["--optimizer", "sgd", "--seed", str(seed), "--json", str(path)]
        command += ["--augment"] if options.augment else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        result = json.loads(path.read_text())
    return 100 * result["epochs"][-1]["val_accuracy"], result["images_per_s"]


def read_split(folder, size):
    """uint8 (count, 3, size, size) and labels."""
    import numpy
    import torch
    from torchvision import datasets, transforms

    images = datasets.ImageFolder(folder, transforms.Resize((size, size)))
    pixels = numpy.stack([numpy.asarray(image) for image, _ in images])
    labels = torch.tensor([label for _, label in images.samples])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels


def augment(images):
    """As torchvision's RandomCrop(size, padding=4) and RandomHorizontalFlip, on bytes: black around the image."""
    import torch

    size = images.shape[-1]
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4))
    corners = torch.randint(0, 9, (len(images), 2)).tolist()
    flips = (torch.rand(len(images)) < 0.5).tolist()
    crops = [image[:, y : y + size, x : x + size] for image, (y, x) in zip(padded, corners)]
    return torch.stack([crop.flip(-1) if flip else crop for crop, flip in zip(crops, flips)])


class PyTorch:
    def __init__(self, options):
        import torch

        torch.set_num_threads(options.threads)
        self.options = options
        self.train = read_split(Path(options.data) / "train", options.size)
        self.test = read_split(Path(options.data) / "test", options.size)
        sums = [(self.train[0][:, c].double() / 255) for c in range(3)]
        self.mean = torch.tensor([plane.mean() for plane in sums]).float().view(1, 3, 1, 1)
        self.deviation = torch.tensor([plane.std(unbiased=False) for plane in sums]).float().view(1, 3, 1, 1)

    def floats(self, images):
        return (images.float() / 255 - self.mean) / self.deviation

    def run(self, seed):
        import torch
        from torchvision import models

        options = self.options
        torch.manual_seed(seed)
        classes = int(self.train[1].max()) + 1
        network = getattr(models, options.arch)(num_classes=classes)
        optimizer = torch.optim.SGD(network.parameters(), lr=options.lr, momentum=options.momentum)
        images, labels = self.train
        seconds = 0.0
        for epoch in range(options.epochs):
            loss_sum = 0.0
            network.train()
            order = torch.randperm(len(labels))
            begin = time.monotonic()
            for at in range(0, len(order), options.batch):
                chosen = order[at : at + options.batch]
                batch = augment(images[chosen]) if options.augment else images[chosen]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(self.floats(batch)), labels[chosen])
                loss.backward()
                optimizer.step()
                loss_sum += loss.item() * len(chosen)
            seconds += time.monotonic() - begin
            accuracy = self.score(network)
            loss = loss_sum / len(labels)
            print(f"pytorch seed {seed} epoch {epoch + 1}: loss {loss:.4f}, validation accuracy {accuracy:.2f} %",
                  file=sys.stderr, flush=True)
        return accuracy, options.epochs * len(labels) / seconds

    def score(self, network):
        import torch

        network.eval()
        images, labels = self.test
        correct = 0
        with torch.no_grad():
            for at in range(0, len(labels), 250):
                scores = network(self.floats(images[at : at + 250]))
                correct += int((scores.argmax(1) == labels[at : at + 250]).sum())
        return 100 * correct / len(labels)


def main():
    options = arguments()
    accuracies = {}
    contestants = [("joulery", lambda seed: run_joulery(options, seed))]
    if options.only != "joulery":
        contestants.append(("pytorch", PyTorch(options).run))
    for name, run in contestants:
        if options.only and options.only != name:
            continue
        for seed in options.seeds:
            accuracy, images_per_s = run(seed)
            accuracies.setdefault(name, []).append(accuracy)
            print(f"{name} seed {seed}: test accuracy {accuracy:.2f} %, {images_per_s:.0f} images/s", flush=True)
    for name, values in accuracies.items():
        print(f"{name}: mean {statistics.mean(values):.2f} % of {len(values)}")
    if len(accuracies) < 2:
        return 0
    apart = abs(statistics.mean(accuracies["joulery"]) - statistics.mean(accuracies["pytorch"]))
    print(f"apart: {apart:.2f} points")
    return int(apart > options.points)


if __name__ == "__main__":
    sys.exit(main())
