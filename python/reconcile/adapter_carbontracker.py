"""carbontracker 1.2 to 2.3: the command is its one epoch.

Its energy is the mean of its power readings by the epoch's duration, summed over components, times the PUE of its
constants.py (1.58 in 2.3); the factor is taken from its own figures. Intel's component reads the packages and their
DRAM; where there is no RAPL the generic one takes half the thermal design power, whatever runs.
"""

from importlib import metadata

from carbontracker.tracker import CarbonTracker

J_PER_KWH = 3.6e6

# by the name of the component's handler: what it covers, how it comes by its figure
HANDLERS = {
    "IntelCPU": (["cpu", "dram"], "measured", "RAPL, packages and DRAM"),
    "GenericCPU": (["cpu"], "constant", "half the thermal design power"),
    "SimulatedCPUHandler": (["cpu"], "constant", "simulated"),
    "NvidiaGPU": (["gpu"], "measured", "NVML"),
}


def version():
    try:
        return metadata.version("carbontracker")
    except metadata.PackageNotFoundError:
        return None


class Watched(CarbonTracker):
    """Keeps the energy that the tracker prints."""

    printed_kwh = None

    def _output_energy(self, description, time, energy, *others):
        self.printed_kwh = float(energy)
        super()._output_energy(description, time, energy, *others)


class Tool:
    def __init__(self, folder):
        self.tracker = Watched(epochs=1, epochs_before_pred=0, monitor_epochs=1, verbose=0, log_dir=folder)
        self.thread = self.tracker.tracker  # epoch_end drops it

    def start(self):
        self.tracker.epoch_start()

    def stop(self):
        self.tracker.epoch_end()
        times = self.thread.epoch_times
        parts = [self.part(component, times) for component in self.thread.components]
        whole = float(sum(self.thread.total_energy_per_epoch())) * J_PER_KWH
        without_pue = sum(part["energy_j"] for part in parts)
        printed = self.tracker.printed_kwh
        return {
            "energy_j": whole if printed is None else printed * J_PER_KWH,
            "covered_s": float(sum(times)),
            "pue": whole / without_pue if without_pue > 0 else 1,
            "parts": parts,
            "note": None if without_pue > 0 else "it had no power reading: the command was too short for it",
        }

    def part(self, component, times):
        name = type(component.handler).__name__
        covers, basis, how = HANDLERS.get(name, ([component.name], "measured", name))
        energy_j = float(sum(component.energy_usage(times))) * J_PER_KWH
        return {"covers": covers, "energy_j": energy_j, "basis": basis, "how": how}
