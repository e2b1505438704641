"""joulery: the energy of parts of a Python program, in joules.

    import joulery

    with joulery.Window("epoch", 3) as w:
        train()
    print(w.energy_j, w.uncertainty_j, w.estimated)

Energies are in joules, powers in watts, times in seconds, uncertainties are standard uncertainties (one
sigma). What is not known is None, never 0. Under `joulery run`, and where another process of the same parallel
job measures the machine, that one measures: windows and metrics go to it as marks where it takes any, energies
are None here and `measured_elsewhere` is true.

Without a meter of one's own, everything uses one that is opened when it is first needed and closed when
Python ends. All is thread-safe. A forked child gets an Error from its parent's meters: open one there.

This is Joulery's C library (joulery.h) through ctypes. Where it is not found, set JOULERY_LIBRARY to its path.
"""
import collections
import ctypes
import dataclasses
import functools
import inspect
import itertools
import math
import operator
import os
import pathlib
import sys
import threading
import weakref

__all__ = ["Channel", "ChannelEnergy", "EpochCallback", "Error", "Meter", "Window", "begin", "end", "mark",
           "measure", "note", "use"]
__version__ = "0.1.0"  # of the library that this is for: the structures below are its header's

_SONAME = "libjoulery.so.0"
_METRICS_MOST = 64
_METRIC_BYTES_MOST = 256


class Error(Exception):
    """What the library could not do, and what to do about it."""


# ---- the library ----


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("meters", ctypes.POINTER(ctypes.c_char_p)),
                ("meter_count", ctypes.c_size_t), ("rate_hz", ctypes.c_double), ("tdp_w", ctypes.c_double),
                ("json_path", ctypes.c_char_p), ("measure_anyway", ctypes.c_int)]


class _Channel(ctypes.Structure):
    _fields_ = [("meter", ctypes.c_char_p), ("name", ctypes.c_char_p), ("scope", ctypes.c_char_p),
                ("kind", ctypes.c_char_p), ("part_of", ctypes.c_char_p), ("apart", ctypes.c_int),
                ("resolution", ctypes.c_double), ("update_s", ctypes.c_double), ("accuracy", ctypes.c_double),
                ("accuracy_source", ctypes.c_char_p)]


class _Energy(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("energy_j", "uncertainty_j", "mean_w", "gap_s")]


class _Totals(ctypes.Structure):
    _fields_ = [("wall_s", ctypes.c_double), ("software_j", ctypes.c_double),
                ("software_uncertainty_j", ctypes.c_double), ("hardware_j", ctypes.c_double),
                ("hardware_uncertainty_j", ctypes.c_double), ("estimated", ctypes.c_int),
                ("recorded_elsewhere", ctypes.c_int)]


_ERROR = ctypes.POINTER(ctypes.c_void_p)
_FUNCTIONS = {
    "joulery_version": (ctypes.c_char_p, []),
    "joulery_open": (ctypes.c_void_p, [ctypes.POINTER(_Options), _ERROR]),
    "joulery_channels": (ctypes.POINTER(_Channel), [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]),
    "joulery_begin": (ctypes.c_int64, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, _ERROR]),
    "joulery_end": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(_Totals),
                                   ctypes.POINTER(_Energy), _ERROR]),
    "joulery_mark": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_double, _ERROR]),
    "joulery_note": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, _ERROR]),
    "joulery_close": (ctypes.c_int, [ctypes.c_void_p, _ERROR]),
    "joulery_free": (None, [ctypes.c_void_p]),
}


def _places():
    """Where the library may be, in order; the last is what the system's loader knows by that name."""
    named = os.environ.get("JOULERY_LIBRARY")
    if named:
        path = os.path.abspath(named) if os.path.exists(named) else named
        return [os.path.join(path, _SONAME) if os.path.isdir(path) else path]
    here = pathlib.Path(__file__).resolve()
    prefix = next((folder.parent for folder in here.parents if folder.name in ("lib", "lib64")), None)
    folders = [prefix / "lib", prefix / "lib64", *sorted(prefix.glob("lib/*-linux-*"))] if prefix else []
    return [str(folder / _SONAME) for folder in folders if (folder / _SONAME).exists()] + [_SONAME]


def _declare(library):
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    version = library.joulery_version().decode()
    if version != __version__:
        raise OSError(f"is version {version}, {__file__} is for {__version__}: install both from one build")
    return library


def _load():
    tried = []
    for place in _places():
        try:
            return _declare(ctypes.CDLL(place))
        except (OSError, AttributeError) as error:  # AttributeError: some other library
            reason = str(error)
            tried.append(reason if reason.startswith(place) else f"{place}: {reason}")
    raise ImportError("joulery: its library cannot be loaded:\n  " + "\n  ".join(tried) +
                      "\nInstall Joulery (make install, then ldconfig), or set "
                      "JOULERY_LIBRARY=/path/libjoulery.so", name="joulery")


_library = _load()


def _call(function, *arguments):
    """The result of a library's function that takes an error last; raises Error where it set one."""
    reason = ctypes.c_void_p()
    result = function(*arguments, ctypes.byref(reason))
    if reason.value:
        text = ctypes.string_at(reason.value).decode("utf-8", "replace")
        _library.joulery_free(reason)
        raise Error(text)
    if result in (None, -1) or (function is _library.joulery_begin and result == 0):
        raise Error("joulery: out of memory")
    return result


def _bytes(what, text):
    """C's form of a text, which holds no zero byte."""
    if not isinstance(text, str):
        raise TypeError(f"joulery: expected text as {what}, found {type(text).__name__}")
    encoded = text.encode("utf-8", "replace")
    if b"\0" in encoded:
        raise Error(f"joulery: expected {what} without a zero byte, found {text!r}")
    return encoded


def _text(encoded):
    return None if encoded is None else encoded.decode("utf-8", "replace")


def _known(value):
    return None if math.isnan(value) else value


# ---- meters ----


@dataclasses.dataclass(frozen=True)
class Channel:
    """What one instrument measures.

    scope: "cpu", "dram", "gpu", "platform", "wall"; kind: "counter", "power", "model" (an estimate); part_of:
    the channel of the same meter that has this one's energy in it, or None; apart: never part of the total;
    resolution: J, or W for a power; update_s: s, windows shorter than this are not known; accuracy: relative
    standard uncertainty, with its source.
    """
    meter: str
    name: str
    scope: str
    kind: str
    part_of: "str | None"
    apart: bool
    resolution: "float | None"
    update_s: "float | None"
    accuracy: "float | None"
    accuracy_source: "str | None"


@dataclasses.dataclass(frozen=True)
class ChannelEnergy:
    """What one channel measured in a window: energy_j and uncertainty_j in J, mean_w in W, gap_s (time that no
    trusted reading covers) in s; None where not known. What the channel is: `channel`."""
    channel: Channel
    energy_j: "float | None"
    uncertainty_j: "float | None"
    mean_w: "float | None"
    gap_s: "float | None"
    unit = "J"

    @property
    def meter(self):
        """The name of the instrument."""
        return self.channel.meter

    @property
    def estimated(self):
        """Whether this is computed from a model, not measured."""
        return self.channel.kind == "model"


class _Handle:
    """An open library handle: in the process that opened it, and until it is closed."""

    def __init__(self, pointer):
        self._pointer, self._owner = pointer, os.getpid()
        self._users, self._idle = 0, threading.Condition()

    def ours(self):
        return self._owner == os.getpid()

    def check_owner(self):
        # before any lock: a thread that the fork left behind may have held it
        if not self.ours():
            raise Error(f"joulery: this meter was opened by process {self._owner}, this is its fork "
                        f"{os.getpid()}: open another here, joulery.use(joulery.Meter())")

    def __enter__(self):
        self.check_owner()
        with self._idle:
            if self._pointer is None:
                raise Error("joulery: this meter is closed: open another")
            self._users += 1
            return self._pointer

    def __exit__(self, *_):
        with self._idle:
            self._users -= 1
            self._idle.notify_all()

    def close(self):
        self.check_owner()
        with self._idle:
            pointer, self._pointer = self._pointer, None
            while self._users:
                self._idle.wait()
        if pointer:
            _call(_library.joulery_close, pointer)


def _close_unless_forked(handle):
    if handle.ours():
        handle.close()


def _options(meters, rate_hz, tdp_w, json_path, measure_anyway):
    options = _Options(size=ctypes.sizeof(_Options), rate_hz=rate_hz or 0, tdp_w=tdp_w or 0,
                       measure_anyway=bool(measure_anyway))
    if isinstance(meters, str):
        raise TypeError(f"joulery: expected a list of meters' names, found {meters!r}: write [{meters!r}]")
    if meters is not None:
        names = [_bytes("the name of a meter", name) for name in meters]
        options.meters = (ctypes.c_char_p * max(len(names), 1))(*names)
        options.meter_count = len(names)
    if json_path is not None:
        options.json_path = os.fsencode(json_path)
        if b"\0" in os.fsencode(json_path):
            raise Error(f"joulery: expected a path without a zero byte, found {json_path!r}")
    return options


def _labels(channels):
    """Names of channels, told apart by their meter where two have one name."""
    seen = collections.Counter(channel.name for channel in channels)
    return [channel.name if seen[channel.name] == 1 else f"{channel.meter}/{channel.name}"
            for channel in channels]


class Meter:
    """Open instruments; a context manager that closes them.

    meters: names as `joulery meters` lists them (None: the best there are); rate_hz: samples a second between
    the edges of windows (None: 10); tdp_w: thermal design power for the model of the CPU, in W (None: from its
    table); json_path: close() writes a joulery.run/1 document there; measure_anyway: measure also
    where another recorder does. Raises Error where nothing can be measured.

    channels: what there is to measure (Channel); empty while another recorder measures.
    measured_elsewhere: whether one does.
    """

    def __init__(self, meters=None, *, rate_hz=None, tdp_w=None, json_path=None, measure_anyway=False):
        options = _options(meters, rate_hz, tdp_w, json_path, measure_anyway)
        self._handle = _Handle(_call(_library.joulery_open, ctypes.byref(options)))
        self._closing = weakref.finalize(self, _close_unless_forked, self._handle)
        with self._handle as pointer:
            count = ctypes.c_size_t()
            found = _library.joulery_channels(pointer, ctypes.byref(count))
            self.channels = [self._describe(found[i]) for i in range(count.value)]
        self.measured_elsewhere = not self.channels
        self._names = _labels(self.channels)

    @staticmethod
    def _describe(found):
        return Channel(meter=_text(found.meter), name=_text(found.name), scope=_text(found.scope),
                       kind=_text(found.kind), part_of=_text(found.part_of), apart=bool(found.apart),
                       resolution=_known(found.resolution), update_s=_known(found.update_s),
                       accuracy=_known(found.accuracy), accuracy_source=_text(found.accuracy_source))

    def window(self, name, index=0):
        """A window of this meter, for `with`."""
        return Window(name, index, self)

    def begin(self, name, index=0):
        """Begins a window now, and returns it."""
        return Window(name, index, self).begin()

    def end(self, window, /, **metrics):
        """Ends a window of this meter now; returns it, with its energies."""
        return window.end(**metrics)

    def mark(self, window=None, /, **metrics):
        """Says finite metrics of an open window, or of the whole run: mark(w, loss=0.4)."""
        if window is not None:
            window.mark(**metrics)
        else:
            self._mark(0, metrics)

    def note(self, text):
        """Says something in words, for the document or the recorder."""
        with self._handle as pointer:
            _call(_library.joulery_note, pointer, _bytes("a note", text))

    def close(self):
        """Ends measuring, writes the document if one was asked for. May be called again."""
        self._handle.close()
        self._closing.detach()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        _quietly_if(kind, self.close)

    def _mark(self, number, metrics):
        with self._handle as pointer:
            for name, value in metrics.items():
                _call(_library.joulery_mark, pointer, number, _bytes("the name of a metric", name), float(value))

    def _begin(self, name, index):
        with self._handle as pointer:
            return _call(_library.joulery_begin, pointer, _bytes("the name of a window", name), index)

    def _end(self, number):
        totals, energies = _Totals(), (_Energy * max(len(self.channels), 1))()
        with self._handle as pointer:
            _call(_library.joulery_end, pointer, number, ctypes.byref(totals), energies)
        return totals, {name: ChannelEnergy(channel, _known(one.energy_j), _known(one.uncertainty_j),
                                            _known(one.mean_w), _known(one.gap_s))
                        for name, channel, one in zip(self._names, self.channels, energies)}


def _quietly_if(already_failing, function):
    """An error of ours does not hide the one that is on its way."""
    try:
        function()
    except Error:
        if not already_failing:
            raise


_default, _default_lock = None, threading.Lock()


def _unlock_after_fork():
    global _default_lock
    _default_lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock_after_fork)


def _default_meter():
    global _default
    with _default_lock:
        if _default is None:
            _default = Meter()
        return _default


def use(meter):
    """Makes `meter` the one that is used where none is named; None: one with the defaults, when needed."""
    global _default
    with _default_lock:
        _default = meter


# ---- windows ----


class Window:
    """A named part of the program; a context manager, or begin() and end(). Windows may nest, overlap, repeat
    and end in another thread. (Under `joulery run` they nest: an end also ends those that began after it.)

    After its end, in J, s; None: not known:
    energy_j, uncertainty_j: CPUs + DRAM + GPUs, nothing twice; hardware_j, hardware_uncertainty_j: wattmeters;
    wall_s: how long it was; estimated: whether a model is in energy_j; channels: {name: ChannelEnergy};
    measured_elsewhere: whether another recorder (`joulery run`) has the energies.
    """

    def __init__(self, name, index=0, meter=None):
        self.name, self.index = name, operator.index(index)
        if not -2**63 <= self.index < 2**63:
            raise Error(f"joulery: expected an index of 64 bits for window {name!r}, found {index}")
        self._meter, self._number = meter, None
        self.energy_j = self.uncertainty_j = self.hardware_j = self.hardware_uncertainty_j = None
        self.wall_s = self.estimated = self.measured_elsewhere = None
        self.channels = {}

    def begin(self):
        """Begins now; returns the window. A window begins once."""
        if self._number is not None:
            raise Error(f"joulery: window {self.name!r} {self.index} has begun before: make another")
        self._meter = self._meter or _default_meter()
        self._number = self._meter._begin(self.name, self.index)
        return self

    def end(self, /, **metrics):
        """Ends now, after saying `metrics`; returns the window. It ends also where a metric is refused."""
        meter = self._begun()
        try:
            meter._mark(self._number, metrics)
        finally:
            self._take(*meter._end(self._number))
        return self

    def _take(self, totals, channels):
        self.channels = channels
        self.wall_s = _known(totals.wall_s)
        self.energy_j, self.uncertainty_j = _known(totals.software_j), _known(totals.software_uncertainty_j)
        self.hardware_j = _known(totals.hardware_j)
        self.hardware_uncertainty_j = _known(totals.hardware_uncertainty_j)
        self.measured_elsewhere = bool(totals.recorded_elsewhere)
        self.estimated = None if self.measured_elsewhere else bool(totals.estimated)

    def mark(self, /, **metrics):
        """Says finite metrics of the open window: w.mark(loss=0.4)."""
        self._begun()._mark(self._number, metrics)

    def _begun(self):
        if self._number is None:
            raise Error(f"joulery: window {self.name!r} {self.index} has not begun")
        return self._meter

    def __enter__(self):
        return self.begin()

    def __exit__(self, kind, *_):
        _quietly_if(kind, self.end)

    def __repr__(self):
        energy = "energy not known" if self.energy_j is None else f"{self.energy_j:.6g} J"
        if self.estimated:
            energy += " (estimated)"
        return f"<joulery.Window {self.name!r} {self.index}: {energy}>"


def begin(name, index=0):
    """Begins a window now, and returns it."""
    return Window(name, index).begin()


def end(window, /, **metrics):
    """Ends a window now; returns it, with its energies."""
    return window.end(**metrics)


def mark(window=None, /, **metrics):
    """Says finite metrics of an open window, or of the whole run: mark(w, loss=0.4)."""
    if window is not None:
        window.mark(**metrics)
    else:
        _default_meter().mark(**metrics)


def note(text):
    """Says something in words, for the document or the recorder."""
    _default_meter().note(text)


def measure(function=None, *, name=None, meter=None, keep=10_000):
    """Decorator: a window around every call of a function or coroutine function, whose result passes through.

        @joulery.measure
        def step(): ...

        step.windows[-1].energy_j

    name: of the windows (the function's own; @joulery.measure("step") does too); their index counts the calls
    from 1. The last `keep` windows are kept in the function's `windows`, in the order of their ends.
    """
    if function is None or isinstance(function, str):
        return functools.partial(measure, name=function or name, meter=meter, keep=keep)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"joulery.measure: {function.__qualname__} is a generator, which runs in pieces: use "
                        "joulery.Window where it is consumed")
    label = name or function.__qualname__.rpartition("<locals>.")[2]
    calls, windows = itertools.count(1), collections.deque(maxlen=keep)

    @functools.wraps(function)
    def measured(*args, **kwargs):
        with _collected(windows, Window(label, next(calls), meter)):
            return function(*args, **kwargs)

    @functools.wraps(function)
    async def measured_coroutine(*args, **kwargs):
        with _collected(windows, Window(label, next(calls), meter)):
            return await function(*args, **kwargs)

    wrapper = measured_coroutine if inspect.iscoroutinefunction(function) else measured
    wrapper.windows = windows
    return wrapper


class _collected:
    def __init__(self, windows, window):
        self._windows, self._window = windows, window

    def __enter__(self):
        self._window.begin()

    def __exit__(self, *exception):
        self._window.__exit__(*exception)
        self._windows.append(self._window)


# ---- training loops of others ----


def _numbers(metrics):
    """The finite numbers among a framework's metrics, which may be tensors; as many as a window holds."""
    found = {}
    for name, value in dict(metrics or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            continue  # text, or a tensor of several numbers
        if math.isfinite(number) and 0 < len(str(name).encode("utf-8", "replace")) <= _METRIC_BYTES_MOST:
            found[str(name)] = number
    return dict(itertools.islice(found.items(), _METRICS_MOST))


def _lightning_bases():
    """Lightning takes only callbacks of its own class, under whichever of its two names was imported."""
    found = []
    for module in ("lightning.pytorch", "pytorch_lightning"):
        base = getattr(sys.modules.get(module), "Callback", None)
        if isinstance(base, type) and base not in found:
            found.append(base)
    return found


def _first_of_machine(trainer):
    return getattr(trainer, "local_rank", 0) == 0


def _nothing(self, *args, **kwargs):
    """A hook that is none of ours."""


_nothing._is_default = True  # Keras 3 waits for callbacks of batches that are not


def _unpickled(cls):
    return cls.__new__(cls)


class EpochCallback:
    """A window "epoch" for every epoch and "training" around them, for Keras and Lightning.

        model.fit(x, y, epochs=5, callbacks=[energy := joulery.EpochCallback()])
        lightning.Trainer(callbacks=[energy := joulery.EpochCallback()])
        [w.energy_j for w in energy.windows]

    Epochs are numbered from 1; their metrics (Keras: logs, Lightning: trainer.callback_metrics) become the
    windows'. With Lightning in several processes the first of each machine measures it, the others nothing.
    Make it after importing Lightning, which is not imported here.

    windows: of the epochs that have ended; training: of the whole, or None.
    """

    params = model = None
    _chief_worker_only = None  # Keras 2 asks

    def __new__(cls, *args, **kwargs):
        missing = [base for base in _lightning_bases() if not issubclass(cls, base)]
        if missing:
            cls = type(cls.__name__, (cls, *missing), {"<made>": True, "__module__": cls.__module__, "__doc__": cls.__doc__,
                                                       "__qualname__": cls.__qualname__})
        return object.__new__(cls)

    def __reduce__(self):
        """A class made above has no name to be found by: where Lightning starts processes by spawning them, they
        make their own."""
        made_of = next(base for base in type(self).__mro__ if "<made>" not in base.__dict__)
        return _unpickled, (made_of,), self.__dict__

    def __init__(self, name="epoch", meter=None):
        self.name, self.windows, self.training = name, [], None
        self._meter, self._whole, self._epoch = meter, None, None  # the last two: while they are open

    def _begin_training(self):
        self._abandon()  # an earlier training may have been broken off
        self._whole = Window("training", 0, self._meter).begin()

    def _begin_epoch(self, index):
        self._abandon_epoch()
        self._epoch = Window(self.name, index, self._meter).begin()

    def _end_epoch(self, metrics):
        window, self._epoch = self._epoch, None
        if window:
            self.windows.append(window)
            window.end(**_numbers(metrics))

    def _end_training(self):
        self._abandon_epoch()
        window, self._whole = self._whole, None
        if window:
            self.training = window.end()

    def _abandon_epoch(self):
        window, self._epoch = self._epoch, None
        if window:
            _quietly_if(True, window.end)

    def _abandon(self):
        self._abandon_epoch()
        window, self._whole = self._whole, None
        if window:
            _quietly_if(True, window.end)

    # Keras
    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_train_begin(self, logs=None):
        self._begin_training()

    def on_epoch_begin(self, epoch, logs=None):
        self._begin_epoch(epoch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._end_epoch(logs)

    # Keras (logs), Lightning (trainer, pl_module)
    def on_train_end(self, *_, **__):
        self._end_training()

    # Lightning
    def on_train_start(self, trainer, pl_module):
        if _first_of_machine(trainer):
            self._begin_training()

    def on_train_epoch_start(self, trainer, pl_module):
        if _first_of_machine(trainer):
            self._begin_epoch(trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer, pl_module):
        self._end_epoch(trainer.callback_metrics)

    def on_fit_end(self, trainer, pl_module):
        self._end_training()

    def on_exception(self, trainer, pl_module, exception):
        self._abandon()

    # Keras 2 skips hooks of batches that nobody implements
    def _implements_train_batch_hooks(self):
        return False

    _implements_test_batch_hooks = _implements_predict_batch_hooks = _implements_train_batch_hooks

    on_batch_begin = on_batch_end = on_train_batch_begin = on_train_batch_end = _nothing
    on_test_begin = on_test_end = on_test_batch_begin = on_test_batch_end = _nothing
    on_predict_begin = on_predict_end = on_predict_batch_begin = on_predict_batch_end = _nothing
