#!/usr/bin/env python3
"""PyTorch's learning rates, for tests/train/test_schedule.c:

    python3 schedules.py > ../data/train_schedules.txt

A line: kind rate step gamma least warm-up start units, then the rate of each unit."""
import torch

CASES = [
    ("constant", 0.1, 0, 0, 0, 4, 0.25, 10),
    ("step", 0.1, 3, 0.5, 0, 0, 0, 12),
    ("step", 0.02, 4, 0.1, 0, 5, 0.01, 20),
    ("cosine", 0.3, 0, 0, 0, 0, 0, 10),
    ("cosine", 1e-3, 0, 0, 1e-5, 5, 0.01, 30),
    ("cosine", 0.5, 0, 0, 0.1, 1, 0.5, 7),
]

for kind, rate, step, gamma, least, warm_up, start, units in CASES:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], rate)
    s = torch.optim.lr_scheduler
    if kind == "step":
        make = lambda: s.StepLR(optimizer, step, gamma=gamma)
    elif kind == "cosine":
        make = lambda: s.CosineAnnealingLR(optimizer, units - warm_up, eta_min=least)
    else:
        make = lambda: s.ConstantLR(optimizer, factor=1)
    if warm_up:
        first = s.LinearLR(optimizer, start_factor=start, total_iters=warm_up)
        plan = s.SequentialLR(optimizer, [first, make()], milestones=[warm_up])
    else:
        plan = make()
    rates = []
    for _ in range(units):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    print(kind, rate, step, gamma, least, warm_up, start, units, *(f"{x:.9g}" for x in rates))
