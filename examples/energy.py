"""The energy of every epoch, measured by the program itself: python3 examples/energy.py"""
import joulery

for epoch in range(1, 4):
    with joulery.Window("epoch", epoch) as w:
        loss = sum(1 / (i + epoch) for i in range(3_000_000)) / 20
        w.mark(loss=loss)
    if w.energy_j is None:
        print(f"epoch {epoch}: energy not known" + (": joulery run measures it" if w.measured_elsewhere else ""))
        continue
    print(f"epoch {epoch}: {w.energy_j:.2f} ± {w.uncertainty_j:.2f} J" + (" (estimated)" if w.estimated else ""))
