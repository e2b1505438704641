"""CodeCarbon 2.3 to 3.3: the offline tracker, with the settings that its user's configuration gives it.

Its energies are times the PUE of that configuration (BaseEmissionsTracker._do_measurements). The hardware list
says how each was found: CPU._mode is a counter's name, "cpu_load" or "constant"; RAM is watts by its size.
"""

import codecarbon
from codecarbon import OfflineEmissionsTracker

J_PER_KWH = 3.6e6

CPU_BASIS = {"cpu_load": "model", "constant": "constant"}  # any other is a counter


def version():
    return getattr(codecarbon, "__version__", None)


class Tool:
    def __init__(self, folder):
        # any country: it changes emissions, not energy, and the offline tracker asks no service for one
        self.tracker = OfflineEmissionsTracker(country_iso_code="USA", output_dir=folder, log_level="error")

    def start(self):
        self.tracker.start()
        if getattr(self.tracker, "_start_time", None) is None:
            raise RuntimeError("CodeCarbon did not start: another instance runs, or its configuration is wrong")

    def stop(self):
        self.tracker.stop()
        data = getattr(self.tracker, "final_emissions_data", None)
        if data is None:
            raise RuntimeError("CodeCarbon gave no figure")
        pue = getattr(data, "pue", 1) or 1
        return {
            "energy_j": data.energy_consumed * J_PER_KWH,
            "covered_s": self.covered_s(data),
            "pue": pue,
            "parts": [part for hardware in self.tracker._hardware for part in self.part(hardware, data, pue)],
        }

    def covered_s(self, data):
        """`duration` also covers what stop() does after the last reading."""
        last = getattr(self.tracker, "_last_measured_time", None)
        return data.duration if last is None else last - self.tracker._start_time

    def part(self, hardware, data, pue):
        kind = type(hardware).__name__
        if kind == "RAM":
            return [
                {
                    "covers": ["dram"],
                    "energy_j": data.ram_energy * J_PER_KWH / pue,
                    "basis": "constant",
                    "how": f"{data.ram_power:.3g} W by its size",
                }
            ]
        if kind == "CPU":
            mode = str(getattr(hardware, "_mode", "unknown"))
            dram = mode == "intel_rapl" and getattr(self.tracker, "_rapl_include_dram", False)
            return [
                {
                    "covers": ["cpu", "dram"] if dram else ["cpu"],
                    "energy_j": data.cpu_energy * J_PER_KWH / pue,
                    "basis": CPU_BASIS.get(mode, "measured"),
                    "how": mode + self.tdp(hardware, mode),
                }
            ]
        if kind == "GPU":
            energy_j = data.gpu_energy * J_PER_KWH / pue
            return [{"covers": ["gpu"], "energy_j": energy_j, "basis": "measured", "how": "NVML or AMD SMI"}]
        return []

    @staticmethod
    def tdp(hardware, mode):
        tdp = getattr(hardware, "_tdp", None)
        return f", TDP {tdp:g} W" if mode in CPU_BASIS and isinstance(tdp, (int, float)) else ""
