"""joulery.py against counters of known power: with_rapl_tree python3 test_joulery.py."""
import asyncio
import copy
import json
import math
import os
import pathlib
import pickle
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

# the job that these tests run in may have a recorder of its own
for variable in ("JOULERY_SOCKET", "LOCAL_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_PROCID", "PMI_RANK",
                 "MPI_LOCALRANKID"):
    os.environ.pop(variable, None)
import joulery

TRUE_W = {name: float(watts) for name, watts in (pair.split("=") for pair in os.environ["RAPL_TREE_W"].split())}
COUNTED_W = sum(watts for name, watts in TRUE_W.items() if name != "psys")  # psys has the packages in it
HERE_ONLY = {"JOULERY_LIBRARY", "JOULERY_SOCKET"}


def channel(window, name):
    """Names of DRAM and psys differ from one kernel interface to another."""
    if name in window.channels:
        return window.channels[name]
    return next(one for one in window.channels.values() if one.channel.name.startswith(name) or
                one.channel.scope == {"psys": "platform"}.get(name, name))


def sleep_counted(wall_s):
    """Sleeps from one move of the counters to another: on a busy machine they are late."""
    counter = next(pathlib.Path(os.environ["JOULERY_SYSFS"]).glob("class/powercap/*/energy_uj"))
    for pause_s in (wall_s, 0):
        before = counter.read_text()
        while counter.read_text() == before:
            time.sleep(0.0001)
        time.sleep(pause_s)


def python(code, **environment):
    """Runs a program in another Python; its exit status, output, errors."""
    clean = {name: value for name, value in os.environ.items() if name not in HERE_ONLY}
    done = subprocess.run([sys.executable, "-c", code], env={**clean, **environment}, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Metered(unittest.TestCase):
    def setUp(self):
        self.meter = joulery.Meter(["rapl"])
        joulery.use(self.meter)

    def tearDown(self):
        joulery.use(None)
        self.meter.close()


class Truth(Metered):
    def test_the_structures_are_laid_out_as_in_the_header(self):
        ours = {"joulery_options": joulery._Options, "joulery_channel": joulery._Channel,
                "joulery_energy": joulery._Energy, "joulery_totals": joulery._Totals}
        lines = subprocess.run([os.environ["JOULERY_LAYOUT"]], capture_output=True, text=True, check=True).stdout
        theirs = dict(line.split() for line in lines.splitlines())
        found = {}
        for name, structure in ours.items():
            found[name] = str(joulery.ctypes.sizeof(structure))
            for member, _ in structure._fields_:
                found[f"{name}.{member}"] = str(getattr(structure, member).offset)
        self.assertEqual(found, theirs)

    def test_windows_have_their_true_energies(self):
        windows = []
        for i in range(5):
            with joulery.Window("half a second", i) as w:
                time.sleep(0.5)
            windows.append(w)
            self.assertFalse(w.estimated)
            self.assertFalse(w.measured_elsewhere)
            self.assertGreaterEqual(w.wall_s, 0.5)
            self.assertAlmostEqual(w.energy_j, COUNTED_W * w.wall_s, delta=0.1 * COUNTED_W * w.wall_s)
        # another program may hold up the counters' own for a moment: the middle of five
        off = [abs(w.energy_j - COUNTED_W * w.wall_s) for w in windows]
        self.assertLess(statistics.median(off[i] / windows[i].energy_j for i in range(5)), 0.03)
        self.assertLess(statistics.median(off[i] / windows[i].uncertainty_j for i in range(5)), 3)

    def test_every_channel_has_its_own(self):
        with joulery.Window("w") as w:
            time.sleep(0.5)
        self.assertEqual(len(w.channels), len(TRUE_W))
        for name, watts in TRUE_W.items():
            one = channel(w, name)
            self.assertEqual((one.meter, one.unit, one.estimated), ("rapl", "J", False))
            self.assertAlmostEqual(one.energy_j, watts * w.wall_s, delta=0.1 * watts * w.wall_s)
            self.assertAlmostEqual(one.mean_w, watts, delta=0.1 * watts)
            self.assertGreater(one.uncertainty_j, 0)
            self.assertLess(one.gap_s, 0.25)
        counted = sum(channel(w, name).energy_j for name in TRUE_W if name != "psys")
        self.assertAlmostEqual(w.energy_j, counted, places=6)

    def test_what_is_not_known_is_none(self):
        w = joulery.Window("brief")
        self.assertIsNone(w.energy_j)
        for i in range(200):
            w = joulery.end(joulery.begin("brief", i))
            if w.wall_s < min(one.channel.update_s for one in w.channels.values()):
                break
        else:
            self.fail("no window was brief")
        self.assertIsNone(w.energy_j)
        self.assertIsNone(w.uncertainty_j)
        self.assertIsNone(w.hardware_j)
        self.assertIn("not known", repr(w))

    def test_the_model_is_an_estimate(self):
        with joulery.Meter(["cpu-model"], tdp_w=65) as meter, meter.window("w") as w:
            time.sleep(0.3)
        self.assertTrue(w.estimated)
        self.assertTrue(all(one.estimated for one in w.channels.values()))


class Windows(Metered):
    def test_windows_nest_and_overlap(self):
        outer = joulery.begin("outer", 1)
        with joulery.Window("inner", 2) as inner:
            time.sleep(0.1)
            overlapping = self.meter.begin("overlapping", 3)
        time.sleep(0.1)
        self.assertIs(joulery.end(outer), outer)
        self.assertIs(self.meter.end(overlapping), overlapping)
        self.assertGreater(outer.energy_j, inner.energy_j + 0.05 * COUNTED_W)

    def test_a_window_begins_and_ends_once(self):
        w = joulery.Window("once")
        with self.assertRaisesRegex(joulery.Error, "has not begun"):
            w.end()
        w.begin()
        with self.assertRaisesRegex(joulery.Error, "has begun before"):
            w.begin()
        w.end()
        with self.assertRaisesRegex(joulery.Error, "is not open"):
            w.end()

    def test_wrong_input_is_refused(self):
        for name, index, says in (("", 0, "1 to 256 bytes"), ("x" * 257, 0, "1 to 256 bytes"), ("w", -1, "from 0"),
                                  ("w\0", 0, "zero byte"), ("w", 2**63, "64 bits")):
            with self.assertRaisesRegex(joulery.Error, says):
                joulery.begin(name, index)
        with self.assertRaisesRegex(TypeError, "expected text"):
            joulery.begin(3)
        with self.assertRaisesRegex(TypeError, r"\['rapl'\]"):
            joulery.Meter("rapl")
        with self.assertRaisesRegex(joulery.Error, "nonesuch"):
            joulery.Meter(["nonesuch"])
        with self.assertRaisesRegex(joulery.Error, "rate"):
            joulery.Meter(["rapl"], rate_hz=-1)
        with joulery.Window("w") as w, self.assertRaises(joulery.Error):
            w.mark(loss=math.nan)
        w = joulery.begin("w")
        with self.assertRaisesRegex(joulery.Error, "loss"):
            w.end(loss=math.inf)
        self.assertIsNotNone(w.wall_s)
        joulery.begin("w").end(**{"self": 1, "window": 2, "val/loss": 3})

    def test_an_error_in_the_window_is_not_hidden(self):
        with self.assertRaises(ZeroDivisionError), joulery.Meter(["rapl"]) as meter, meter.window("w"):
            meter.close()
            1 / 0

    def test_a_closed_meter_says_so(self):
        w = self.meter.begin("w")
        self.meter.close()
        self.meter.close()
        with self.assertRaisesRegex(joulery.Error, "closed"):
            w.end()

    def test_threads_share_a_meter(self):
        failures = []

        def work(number):
            try:
                for i in range(100):
                    with joulery.Window(f"thread {number}", i) as w:
                        w.mark(i=i)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        with joulery.Window("all") as everything:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.1)
        self.assertEqual(failures, [])
        self.assertGreater(everything.energy_j, 0)

    def test_closing_waits_for_the_other_threads(self):
        meter, refused = joulery.Meter(["rapl"]), []

        def work():
            try:
                while True:
                    meter.begin("w").end()
            except joulery.Error as error:
                refused.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        meter.close()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(refused), 4)
        self.assertTrue(all("closed" in text for text in refused), refused)

    def test_the_document_has_windows_metrics_and_notes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "run.json")
            with joulery.Meter(["rapl"], json_path=path) as meter:
                with meter.window("epoch", 3) as w:
                    time.sleep(0.1)
                    meter.mark(w, loss=0.5)
                meter.mark(accuracy=0.75)
                meter.note("naïve")
            document = json.loads(path.read_text())
        self.assertEqual(document["schema"], "joulery.run/1")
        epoch = next(one for one in document["windows"] if one["name"] == "epoch")
        self.assertEqual((epoch["index"], epoch["metrics"]), (3, {"loss": 0.5}))
        self.assertIn("naïve", json.dumps(document, ensure_ascii=False))
        with self.assertRaisesRegex(joulery.Error, "nonexistent"):
            joulery.Meter(["rapl"], json_path="/nonexistent/run.json")


class Forks(Metered):
    def in_child(self, function):
        """What a forked child says of itself; it is killed where it hangs."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                os.write(writer, function().encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        return said

    def test_a_fork_gets_an_error_and_does_not_hang(self):
        def child():
            said = []
            for attempt in (lambda: joulery.begin("child"), w.end, self.meter.close, lambda: joulery.note("x")):
                try:
                    attempt()
                    said.append("no error")
                except joulery.Error as error:
                    said.append("fork" if "fork" in str(error) else str(error))
            return " ".join(said)

        with joulery.Window("parent") as w:
            # another thread holds every lock when the child is made
            held = threading.Event(), threading.Event()

            def hold():
                with self.meter._handle._idle, joulery._default_lock:
                    held[0].set()
                    held[1].wait(30)

            thread = threading.Thread(target=hold)
            thread.start()
            held[0].wait()
            said = self.in_child(child)
            held[1].set()
            thread.join()
            time.sleep(0.05)
        self.assertEqual(said, "fork fork fork fork")
        self.assertGreater(w.energy_j, 0)

    def test_a_fork_can_open_its_own(self):
        def child():
            with joulery.Meter(["rapl"]) as meter:
                joulery.use(meter)
                with joulery.Window("child") as w:
                    time.sleep(0.1)
                return str(w.energy_j > 0)

        self.assertEqual(self.in_child(child), "True")


class Decorator(Metered):
    def test_a_result_passes_through_and_windows_are_kept(self):
        @joulery.measure
        def add(a, b=1):
            "Adds."
            sleep_counted(0.02)
            return a + b

        self.assertEqual([add(1), add(1, b=4)], [2, 5])
        self.assertEqual((add.__name__, add.__doc__), ("add", "Adds."))
        self.assertEqual([(w.name, w.index) for w in add.windows], [("add", 1), ("add", 2)])
        self.assertTrue(all(w.energy_j > 0 for w in add.windows))

    def test_its_arguments(self):
        with joulery.Meter(["rapl"]) as meter:
            @joulery.measure("step", meter=meter, keep=2)
            def first():
                pass

            @joulery.measure(name="other")
            def fails():
                raise KeyError("mine")

            for _ in range(3):
                first()
            with self.assertRaisesRegex(KeyError, "mine"):
                fails()
        self.assertEqual([(w.name, w.index) for w in first.windows], [("step", 2), ("step", 3)])
        self.assertEqual([w.name for w in fails.windows], ["other"])

    def test_coroutines_are_measured_to_their_end(self):
        @joulery.measure
        async def slow():
            await asyncio.sleep(0.05)
            return 7

        self.assertEqual(asyncio.run(slow()), 7)
        self.assertGreaterEqual(slow.windows[0].wall_s, 0.05)
        with self.assertRaisesRegex(TypeError, "generator"):
            @joulery.measure
            def pieces():
                yield 1


class Tensor:
    """Several numbers, or one, as frameworks have them."""

    def __init__(self, *values):
        self.values = values

    def __float__(self):
        if len(self.values) != 1:
            raise RuntimeError("only one element tensors can be converted")
        return float(self.values[0])


class Callbacks(Metered):
    def fit_as_keras(self, callback, epochs, fail_in=None):
        """The hooks of Model.fit, with what Keras 2 and 3 ask of callbacks besides."""
        self.assertFalse(callback._implements_train_batch_hooks() or callback._implements_test_batch_hooks() or
                         callback._implements_predict_batch_hooks())
        self.assertTrue(callback.on_train_batch_end._is_default)
        callback.set_params({"epochs": epochs})
        callback.set_model(self)
        callback.on_train_begin({})
        for epoch in range(epochs):
            callback.on_epoch_begin(epoch, {})
            for batch in range(2):
                callback.on_train_batch_begin(batch, logs={})
                callback.on_train_batch_end(batch, logs={"loss": 1.0})
            sleep_counted(0.02)
            if fail_in == epoch:
                raise KeyboardInterrupt
            callback.on_test_begin({})
            callback.on_test_batch_begin(0, logs={})
            callback.on_test_batch_end(0, logs={})
            callback.on_test_end({"loss": 1.5})
            callback.on_epoch_end(epoch, {"loss": Tensor(1 / (epoch + 1)), "val_loss": 1.5, "bad": math.nan,
                                          "several": Tensor(1, 2), "text": "words"})
        callback.on_train_end({"loss": 1.0})
        callback.on_predict_begin({})
        callback.on_predict_end({})

    def test_keras(self):
        callback = joulery.EpochCallback()
        self.fit_as_keras(callback, 3)
        self.assertEqual([(w.name, w.index) for w in callback.windows], [("epoch", 1), ("epoch", 2), ("epoch", 3)])
        self.assertTrue(all(w.energy_j > 0 for w in callback.windows))
        self.assertGreaterEqual(callback.training.wall_s, sum(w.wall_s for w in callback.windows))
        self.assertEqual((callback.params, callback.model), ({"epochs": 3}, self))

    def test_a_training_that_is_broken_off_can_begin_again(self):
        callback = joulery.EpochCallback()
        with self.assertRaises(KeyboardInterrupt):
            self.fit_as_keras(callback, 3, fail_in=1)
        self.assertIsNone(callback.training)
        self.fit_as_keras(callback, 2)
        self.assertEqual([w.index for w in callback.windows], [1, 1, 2])

    def test_a_loop_of_ones_own_may_call_the_epochs_only(self):
        callback = joulery.EpochCallback("round")
        callback.on_epoch_begin(0)
        callback.on_epoch_begin(1)
        sleep_counted(0.02)
        callback.on_epoch_end(1)
        callback.on_epoch_end(1)
        self.assertEqual([(w.name, w.index, w.energy_j > 0) for w in callback.windows], [("round", 2, True)])

    def test_metrics_are_in_the_document(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "run.json")
            with joulery.Meter(["rapl"], json_path=path) as meter:
                self.fit_as_keras(joulery.EpochCallback(meter=meter), 2)
            windows = json.loads(path.read_text())["windows"]
        self.assertEqual([one["metrics"] for one in windows if one["name"] == "epoch"],
                         [{"loss": 1.0, "val_loss": 1.5}, {"loss": 0.5, "val_loss": 1.5}])

    def with_lightning(self, local_rank):
        """A stand-in for Lightning that takes its own class only, and all hooks through it."""
        class Callback:
            @property
            def state_key(self):
                return self.__class__.__qualname__

            def state_dict(self):
                return {}

            def setup(self, trainer, pl_module, stage):
                self.was_set_up = stage

        for hook in ("on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_batch_start",
                     "on_train_batch_end", "on_validation_start", "on_validation_end", "on_train_epoch_end",
                     "on_train_end", "on_fit_end", "on_exception", "on_test_end"):
            setattr(Callback, hook, lambda self, trainer, pl_module, *rest: None)
        module = types.ModuleType("lightning.pytorch")
        module.Callback = Callback
        sys.modules["lightning.pytorch"] = module
        self.addCleanup(sys.modules.pop, "lightning.pytorch")
        callback = joulery.EpochCallback()
        self.assertIsInstance(callback, Callback)
        self.assertIsInstance(callback, joulery.EpochCallback)
        trainer = types.SimpleNamespace(local_rank=local_rank, current_epoch=0, callback_metrics={})
        return callback, trainer, lambda hook, *rest: getattr(callback, hook)(trainer, self, *rest)

    def test_lightning(self):
        callback, trainer, call = self.with_lightning(0)
        callback.setup(trainer, self, "fit")
        self.assertEqual((callback.was_set_up, callback.state_key), ("fit", "EpochCallback"))
        call("on_fit_start")
        call("on_train_start")
        for trainer.current_epoch in range(2):
            call("on_train_epoch_start")
            call("on_train_batch_start", None, 0)
            sleep_counted(0.02)
            call("on_train_batch_end", None, None, 0)
            trainer.callback_metrics = {"val_loss": Tensor(0.5), "matrix": Tensor(1, 2)}
            call("on_train_epoch_end")
        call("on_train_end")
        call("on_fit_end")
        call("on_test_end")
        self.assertEqual([w.index for w in callback.windows], [1, 2])
        self.assertTrue(all(w.energy_j > 0 for w in callback.windows))
        self.assertGreater(callback.training.energy_j, 0)

    def test_a_spawned_lightning_process_gets_its_copy(self):
        callback, _, _ = self.with_lightning(0)
        copies = pickle.loads(pickle.dumps(callback)), copy.deepcopy(callback)
        for one in copies:
            self.assertIsInstance(one, joulery.EpochCallback)
            self.assertIsInstance(one, sys.modules["lightning.pytorch"].Callback)
            self.assertEqual((one.name, one.windows, one.training, one.state_key), ("epoch", [], None, "EpochCallback"))

    def test_lightning_broken_off(self):
        callback, _, call = self.with_lightning(0)
        call("on_train_start")
        call("on_train_epoch_start")
        call("on_exception", KeyboardInterrupt())
        call("on_fit_end")
        self.assertEqual((callback.windows, callback.training), ([], None))

    def test_one_process_of_a_machine_measures(self):
        callback, _, call = self.with_lightning(1)
        for hook in ("on_train_start", "on_train_epoch_start", "on_train_epoch_end", "on_train_end", "on_fit_end"):
            call(hook)
        self.assertEqual((callback.windows, callback.training), ([], None))


class Recorded(unittest.TestCase):
    """A stand-in for `joulery run`: its socket."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(os.path.join(folder.name, "marks"))
        self.socket.setblocking(False)
        os.environ["JOULERY_SOCKET"] = self.socket.getsockname()
        self.addCleanup(os.environ.pop, "JOULERY_SOCKET", None)
        self.addCleanup(joulery.use, None)

    def marks(self):
        found = []
        while True:
            try:
                found.append(json.loads(self.socket.recv(65536)))
            except BlockingIOError:
                return found

    def test_marks_are_sent_and_energies_are_elsewhere(self):
        joulery.use(None)
        with joulery.Window("epoch", 3) as w:
            time.sleep(0.01)
            w.mark(loss=0.5)
        joulery.note("done")
        self.assertTrue(w.measured_elsewhere)
        self.assertIsNone(w.energy_j)
        self.assertIsNone(w.estimated)
        self.assertEqual(w.channels, {})
        self.assertGreaterEqual(w.wall_s, 0.01)
        self.assertEqual([(mark["mark"], mark.get("window"), mark["index"]) for mark in self.marks()],
                         [("begin", "epoch", 3), ("metric", "epoch", 3), ("end", "epoch", 3), ("note", None, 0)])

    def test_callbacks_mark(self):
        callback = joulery.EpochCallback()
        callback.on_train_begin()
        callback.on_epoch_begin(0)
        callback.on_epoch_end(0, {"loss": 0.25})
        callback.on_train_end()
        said = [(mark["mark"], mark["window"], mark.get("metrics")) for mark in self.marks()]
        self.assertEqual(said, [("begin", "training", None), ("begin", "epoch", None),
                                ("metric", "epoch", {"loss": 0.25}), ("end", "epoch", None),
                                ("end", "training", None)])
        self.assertTrue(callback.training.measured_elsewhere)

    def test_measuring_anyway(self):
        with joulery.Meter(["rapl"], measure_anyway=True) as meter:
            self.assertFalse(meter.measured_elsewhere)
            with meter.window("w") as w:
                time.sleep(0.1)
        self.assertGreater(w.energy_j, 0)
        self.assertEqual(self.marks(), [])


class Importing(unittest.TestCase):
    def refused(self, **environment):
        status, _, errors = python("import joulery", **environment)
        self.assertEqual(status, 1)
        self.assertIn("ImportError: joulery: its library cannot be loaded", errors)
        self.assertIn("JOULERY_LIBRARY=/path/libjoulery.so", errors)
        return errors

    def test_a_missing_library_says_where_it_looked(self):
        self.assertIn("/nonexistent/libjoulery.so", self.refused(JOULERY_LIBRARY="/nonexistent/libjoulery.so"))
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn(f"{folder}/libjoulery.so.0", self.refused(JOULERY_LIBRARY=folder))

    def test_something_else_is_no_library(self):
        with tempfile.NamedTemporaryFile() as garbage:
            garbage.write(b"not a library")
            garbage.flush()
            self.assertIn(garbage.name, self.refused(JOULERY_LIBRARY=garbage.name))
        self.assertIn("joulery_version", self.refused(JOULERY_LIBRARY="libm.so.6"))

    def test_it_is_found_beside_the_module(self):
        with tempfile.TemporaryDirectory() as prefix:
            modules = pathlib.Path(prefix, "lib/python3/dist-packages")
            modules.mkdir(parents=True)
            (modules / "joulery.py").write_bytes(pathlib.Path(joulery.__file__).read_bytes())
            os.symlink(os.environ["JOULERY_LIBRARY"], f"{prefix}/lib/libjoulery.so.0")
            status, output, errors = python("import joulery; print(joulery._library._name)", PYTHONPATH=str(modules))
            self.assertEqual((status, output, errors), (0, f"{prefix}/lib/libjoulery.so.0\n", ""))

    def test_another_version_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(joulery.__file__).read_text()
            pathlib.Path(folder, "joulery.py").write_text(
                source.replace(f'__version__ = "{joulery.__version__}"', '__version__ = "0.0.9"'))
            errors = self.refused(PYTHONPATH=folder, JOULERY_LIBRARY=os.environ["JOULERY_LIBRARY"])
        self.assertIn(f"is version {joulery.__version__}", errors)
        self.assertIn("is for 0.0.9", errors)

    def test_frameworks_are_not_imported(self):
        status, output, _ = python("import joulery, sys; joulery.EpochCallback(); print(sorted("
                                   "{'keras', 'tensorflow', 'torch', 'lightning', 'numpy'} & set(sys.modules)))",
                                   JOULERY_LIBRARY=os.environ["JOULERY_LIBRARY"])
        self.assertEqual((status, output), (0, "[]\n"))

    def test_a_default_meter_writes_and_closes_at_exit(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run.json")
            status, _, errors = python(f"import joulery\njoulery.use(joulery.Meter(['rapl'], json_path={path!r}))\n"
                                       "joulery.begin('left open')",
                                       JOULERY_LIBRARY=os.environ["JOULERY_LIBRARY"])
            self.assertEqual((status, errors), (0, ""))
            with open(path) as document:
                self.assertEqual(json.load(document)["windows"][1]["name"], "left open")

    def test_the_example_runs(self):
        done = subprocess.run([sys.executable, os.environ["JOULERY_EXAMPLES"] + "/energy.py"], capture_output=True,
                              text=True, timeout=120)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"epoch 3: \d+\.\d+ ± \d+\.\d+ J")


if __name__ == "__main__":
    unittest.main()
