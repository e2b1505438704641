"""Zeus 0.10 to 0.16: one window of its ZeusMonitor. No PUE, no constants: RAPL and the GPUs' counters."""

import zeus
from zeus.monitor import ZeusMonitor

WINDOW = "joulery"


def version():
    return getattr(zeus, "__version__", None)


def part(scope, energies, how):
    """`energies`: joules by device, or None where Zeus has no such device."""
    if not energies:
        return []
    return [{"covers": [scope], "energy_j": float(sum(energies.values())), "basis": "measured", "how": how}]


class Tool:
    def __init__(self, folder):
        self.monitor = ZeusMonitor()

    def start(self):
        # the GPU's work is the command's, not this process's: nothing of ours is to be waited for
        self.monitor.begin_window(WINDOW, sync_execution=False)

    def stop(self):
        window = self.monitor.end_window(WINDOW, sync_execution=False)
        parts = (
            part("cpu", getattr(window, "cpu_energy", None), "RAPL")
            + part("dram", getattr(window, "dram_energy", None), "RAPL")
            + part("gpu", window.gpu_energy, "NVML or AMD SMI")
        )
        return {
            "energy_j": sum(entry["energy_j"] for entry in parts),
            "covered_s": float(window.time),
            "pue": 1,
            "parts": parts,
            "note": None if parts else "it found nothing to measure on this machine",
        }
