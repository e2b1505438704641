#!/usr/bin/env python3
"""Training speed of joulery and of PyTorch, side by side on the same cores.

    python3 bench/train_vs_pytorch.py [--program PATH] [--architectures resnet18,resnet50,…] [--frozen] ...

Both train torchvision's network on images of one size, batch and precision, with the same optimiser and threads. They
take turns (joulery, PyTorch in each of its ways, joulery, ...), each turn a process of its own; the medians over the turns are
compared. PyTorch gets its best of: contiguous or channels-last tensors. Its data is one batch in memory, so its loader costs
nothing; joulery's is what `joulery train` really does. Peak memory is the process's.

With --frozen the base only infers, and a head of two dense layers of 4096 units with dropout learns on it: in PyTorch the base
is in evaluation mode without gradients. Peak memory is that of training on images, nothing cached, on both sides.

With --precision bf16 PyTorch trains under torch.autocast; joulery with the same option.

First step: seconds from the start of the process to the end of the first step, on a data set of one batch on both sides; of joulery
to the end of a process that does one.

Needs torch and torchvision (Debian: python3-torch, python3-torchvision). Its own child runs with --child.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=os.path.join(here, "..", "build", "release", "bin", "joulery-train"))
    p.add_argument("--architectures", help="default: those that README.md has")
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=12)
    p.add_argument("--turns", type=int, default=3)
    p.add_argument("--optimizer", choices=("adam", "sgd"), default="adam")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    p.add_argument("--frozen", action="store_true", help="the base is frozen, a head of 4096,4096 learns")
    p.add_argument("--child", help=argparse.SUPPRESS)
    p.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if not a.architectures:
        a.architectures = "vgg16,vgg19,resnet50" if a.frozen else "resnet50,mobilenet_v2,resnet18,densenet121,efficientnet_b0,vgg16,vgg19"
    return a


def frozen(model, size):
    """The network's features without gradients, and the study's head on them."""
    import torch
    from torch import nn

    if hasattr(model, "features"):
        base = model.features
    else:  # resnets: all but the pooling and the dense layer
        base = nn.Sequential(*list(model.children())[:-2])
    for parameter in base.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        width = base.eval()(torch.zeros(1, 3, size, size)).numel()
    head = nn.Sequential(nn.Flatten(), nn.Linear(width, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
                         nn.Dropout(0.5), nn.Linear(4096, 10))

    class Transfer(nn.Module):
        def __init__(self):
            super().__init__()
            self.base, self.head = base, head

        def forward(self, x):
            with torch.no_grad():
                x = self.base(x)
            return self.head(x)

    return Transfer()


def pytorch_child(a):
    import torch
    import torchvision

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    layout = torch.channels_last if a.channels_last else torch.contiguous_format
    model = getattr(torchvision.models, a.child)(num_classes=10)
    model = (frozen(model, a.size) if a.frozen else model).to(memory_format=layout)
    images = torch.randn(a.batch, 3, a.size, a.size).contiguous(memory_format=layout)
    labels = torch.randint(0, 10, (a.batch,))
    if a.optimizer == "adam":
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-4)
    else:
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01, momentum=0.9)
    times = []
    for _ in range(a.steps + 2):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
        if len(times) == 1:
            first = time.time() - float(os.environ["BENCH_STARTED"])
    rate = a.batch * a.steps / sum(times[2:])  # the first two warm up
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"images_per_s": rate, "peak_rss_bytes": peak, "first_step_s": first}))


def last_json(output):
    return json.loads(output[output.index("{"):])


def run_pytorch(a, architecture, channels_last):
    command = [sys.executable, os.path.abspath(__file__), "--child", architecture, "--threads", str(a.threads)]
    command += ["--size", str(a.size), "--batch", str(a.batch), "--steps", str(a.steps), "--optimizer", a.optimizer]
    command += ["--channels-last"] if channels_last else []
    command += ["--precision", a.precision]
    command += ["--frozen"] if a.frozen else []
    environment = dict(os.environ, OMP_NUM_THREADS=str(a.threads), BENCH_STARTED=str(time.time()))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason given"
        return {"images_per_s": 0.0, "peak_rss_bytes": 0, "first_step_s": 0.0, "failed": reason}
    return last_json(done.stdout)


def run_joulery(a, architecture):
    command = [a.program, "train", "--arch", architecture, "--size", str(a.size), "--batch", str(a.batch), "--optimizer", a.optimizer]
    command += ["--threads", str(a.threads), "--precision", a.precision, "--json", "-"]
    command += ["--freeze", "base", "--head", "4096,4096", "--dropout", "0.5"] if a.frozen else []
    many = ["--data", f"shapes:{max(2000, 2 * a.batch)}", "--steps", str(a.steps)]
    result = last_json(subprocess.run(command + many, check=True, capture_output=True, text=True).stdout)
    one = ["--data", f"shapes:{max(20, a.batch)}", "--steps", "1", "--no-validation"]
    begin = time.time()
    subprocess.run(command + one, check=True, capture_output=True)
    result["first_step_s"] = time.time() - begin
    return result


def median(results, key):
    return statistics.median(r[key] for r in results)


def main():
    a = arguments()
    if a.child:
        return pytorch_child(a)
    mode = a.precision + (", frozen base" if a.frozen else "")
    print(f"{a.size}x{a.size}, batch {a.batch}, {a.optimizer}, {mode}, {a.threads} threads; medians of {a.turns} turns")
    print(f"{'':18} {'joulery':>12} {'PyTorch':>12} {'channels-last':>14} {'ratio':>7} {'peak MiB':>16} {'first step s':>14}")
    for architecture in a.architectures.split(","):
        ours, plain, last = [], [], []
        for _ in range(a.turns):
            ours.append(run_joulery(a, architecture))
            plain.append(run_pytorch(a, architecture, False))
            last.append(run_pytorch(a, architecture, True))
        rates = [median(r, "images_per_s") for r in (ours, plain, last)]
        best = plain if rates[1] >= rates[2] else last
        if not max(rates[1:]):
            print(f"{architecture:18} {rates[0]:8.1f} im/s   PyTorch fails: {best[0]['failed']}", flush=True)
            continue
        firsts = [median(r, "first_step_s") for r in (ours, best)]
        peaks = [median(r, "peak_rss_bytes") / 2**20 for r in (ours, best)]
        print(f"{architecture:18} {rates[0]:8.1f} im/s {rates[1]:8.1f} im/s {rates[2]:10.1f} im/s "
              f"{rates[0] / max(rates[1:]):6.2f}x {peaks[0]:7.0f} /{peaks[1]:7.0f} {firsts[0]:6.2f} /{firsts[1]:6.2f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
