"""Live progress: tasks write where they are to small files, one console reads and shows them.

Files, because a task may run in this process or in a worker; the runner makes no difference.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from uamsim.errors import StorageError
from uamsim.storage import read_json, write_json

Report = Callable[[int, int, dict[str, float]], None]
"""Called with (step, total steps, metrics)."""

_WRITE_EVERY_S = 1.0
_POLL_EVERY_S = 1.0
_LINE_EVERY_S = 15.0


class FileReport:
    """A ``Report`` that keeps its last call in a file.

    Args:
        path: the file, ``<task>.json``.
        then: called as well, every time.
    """

    def __init__(self, path: Path, then: Report | None = None) -> None:
        self.path, self.then = path, then
        self._started = time.time()
        self._first_step: int | None = None
        self._written = 0.0

    def __call__(self, step: int, total: int, metrics: dict[str, float]) -> None:
        """Writes at most once a second, and always the last step."""
        if self._first_step is None:
            self._first_step = step
        if self.then is not None:
            self.then(step, total, metrics)
        now = time.time()
        if now - self._written < _WRITE_EVERY_S and step < total:
            return
        self._written = now
        rate = (step - self._first_step) / max(now - self._started, 1e-6)
        # A lost progress line must not fail a task; the task's own writes say when a disk is full.
        with contextlib.suppress(StorageError):
            write_json(
                self.path,
                {
                    "step": step,
                    "total": total,
                    "metrics": {key: float(value) for key, value in metrics.items()},
                    "eta_s": (total - step) / rate if rate > 0 else None,
                    "time": now,
                },
            )


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """Where a task is.

    Attributes:
        name: of its file.
        eta_s: seconds left at the present rate, None while unknown.
    """

    name: str
    step: int
    total: int
    metrics: Mapping[str, float]
    eta_s: float | None

    @property
    def finished(self) -> bool:
        """Whether its last step is done."""
        return self.step >= self.total

    def line(self) -> str:
        """One line: step of total, the leading metrics, time left."""
        shown = " ".join(f"{key} {value:.3g}" for key, value in list(self.metrics.items())[:3])
        known = self.eta_s is not None and not self.finished
        eta = f" · ETA {duration(self.eta_s or 0.0)}" if known else ""
        return f"{self.name}: {self.step}/{self.total}{' · ' if shown else ''}{shown}{eta}"


class Console:
    """Shows stages and their tasks; keeps the seconds each stage took, over resumed runs too.

    Args:
        folder: where tasks write their progress files.
        timing_file: JSON of stage -> seconds.
        stream: where to print; standard error by default.
    """

    def __init__(self, folder: Path, timing_file: Path, stream: TextIO | None = None) -> None:
        self.folder, self.timing_file = folder, timing_file
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.timing: dict[str, float] = dict(read_json(timing_file) or {})
        self.stage_name, self._num_tasks = "", 1
        self._printed: dict[str, float] = {}

    def report(self, task: str) -> FileReport:
        """A progress callback for a task; it may be sent to another process."""
        return FileReport(self.folder / f"{task}.json")

    def print(self, text: str) -> None:
        """Prints a line at once."""
        print(text, file=self.stream, flush=True)

    @contextlib.contextmanager
    def stage(self, name: str, detail: str = "", *, num_tasks: int = 1) -> Iterator[None]:
        """Times a stage and shows its tasks while it runs.

        Args:
            name: of the stage, also in results.json's timing.
            detail: what it will do.
            num_tasks: how many tasks will report; with several, the stage has an ETA of its own.
        """
        self.stage_name, self._num_tasks = name, num_tasks
        started = time.time()
        self._clear()
        self.print(f"[{time.strftime('%H:%M:%S')}] {name}{': ' if detail else ''}{detail}")
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop, started), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=10)
            seconds = time.time() - started
            self.timing[name] = self.timing.get(name, 0.0) + seconds
            write_json(self.timing_file, self.timing)
        self.print(f"[{time.strftime('%H:%M:%S')}] {name} done in {duration(seconds)}")

    def states(self, since: float) -> list[TaskState]:
        """The tasks that reported after ``since`` (epoch seconds) and are not finished."""
        states = []
        for file in sorted(self.folder.glob("[!.]*.json")):
            value: dict[str, Any] | None = read_json(file)
            if not value or value["time"] < since:
                continue
            age = max(0.0, time.time() - value["time"])
            eta = None if value["eta_s"] is None else max(0.0, value["eta_s"] - age)
            states.append(
                TaskState(
                    name=file.stem,
                    step=value["step"],
                    total=value["total"],
                    metrics=value["metrics"],
                    eta_s=eta,
                )
            )
        return states

    def summary(self, states: Sequence[TaskState], elapsed_s: float) -> str:
        """The stage in one line: tasks finished, time left at the rate so far."""
        share = sum(s.step / max(s.total, 1) for s in states) / self._num_tasks
        if self._num_tasks == 1:
            return f"{self.stage_name} …"
        eta = f" · ETA {duration(elapsed_s * (1 - share) / share)}" if share > 0 else ""
        finished = sum(state.finished for state in states)
        return f"{self.stage_name}: {finished} of {self._num_tasks} finished{eta}"

    def _clear(self) -> None:
        for file in self.folder.glob("*.json"):
            file.unlink(missing_ok=True)
        self._printed = {}

    def _watch(self, stop: threading.Event, since: float) -> None:
        if not self.live:
            while not stop.wait(_POLL_EVERY_S):
                self._print_lines(since)
            return
        from rich.console import Console as RichConsole
        from rich.live import Live
        from rich.text import Text

        with Live(console=RichConsole(file=self.stream), transient=True) as live:
            while not stop.wait(_POLL_EVERY_S):
                states = self.states(since)
                lines = [f"  {state.line()}" for state in states if not state.finished]
                live.update(Text("\n".join([self.summary(states, time.time() - since), *lines])))

    def _print_lines(self, since: float) -> None:
        now = time.time()
        for state in self.states(since):
            last = self._printed.get(state.name, 0.0)
            if last == float("inf") or (now - last < _LINE_EVERY_S and not state.finished):
                continue
            self._printed[state.name] = float("inf") if state.finished else now
            self.print(f"  {state.line()}")
        if self._num_tasks > 1 and now - self._printed.get("", since) >= _LINE_EVERY_S:
            self._printed[""] = now
            self.print(f"  {self.summary(self.states(since), now - since)}")


class ProgressBar:
    """Counts units of one long piece of work; ``progress_bar`` makes it.

    Attributes:
        num_done: units done since it was made, without those that were there before.
        note: goes at the end of the line.
    """

    def __init__(self, name: str, unit: str, stream: TextIO) -> None:
        self.name, self.unit, self.stream = name, unit, stream
        self.num_done, self.note = 0, ""
        self._first: int | None = None
        self._started = self._printed = time.time()

    def __call__(self, done: int, total: int) -> None:
        """Shows that so many of all units are done."""
        if self._first is None:
            self._first, self._started = done, time.time()
            if 0 < done < total:
                print(f"going on after {done} of {total} {self.unit}", file=self.stream, flush=True)
        self.num_done = done - self._first
        self.show(done, total)

    def show(self, done: int, total: int) -> None:
        """Prints a line every now and then, for a stream that is no terminal."""
        now = time.time()
        if self.num_done and (done == total or now - self._printed >= _LINE_EVERY_S):
            self._printed = now
            print(f"{self.name}: {self.status(done, total)}", file=self.stream, flush=True)

    def status(self, done: int, total: int) -> str:
        """Done of total, rate and time left."""
        text = f"{done}/{total} {self.unit}"
        rate = self.num_done / max(time.time() - self._started, 1e-6)
        if self.num_done:
            text += f" · {rate:.2f}/s"
        if self.num_done and done < total:
            text += f" · ETA {duration((total - done) / rate)}"
        return text + (f" · {self.note}" if self.note else "")


class _LiveBar(ProgressBar):
    """A bar on a terminal, redrawn in place."""

    def __init__(self, name: str, unit: str, stream: TextIO) -> None:
        super().__init__(name, unit, stream)
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self.rich = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[status]}"),
            console=RichConsole(file=stream),
        )
        self._task = self.rich.add_task(name, total=None, status="")

    def show(self, done: int, total: int) -> None:
        status = self.status(done, total)
        self.rich.update(self._task, completed=done, total=total, status=status)


@contextlib.contextmanager
def progress_bar(name: str, unit: str, stream: TextIO | None = None) -> Iterator[ProgressBar]:
    """A bar to call with (done, total); lines where the stream is no terminal.

    Args:
        name: of the work.
        unit: what is counted, in the plural.
        stream: where to show it; standard error by default.
    """
    where = stream or sys.stderr
    if not where.isatty():
        yield ProgressBar(name, unit, where)
        return
    bar = _LiveBar(name, unit, where)
    with bar.rich:
        yield bar


def duration(seconds: float) -> str:
    """Seconds as 42s, 3m20s or 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
