"""The shop, its worker and its payment provider as processes: started together, gone together."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

HERE = Path(__file__).resolve().parent
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0

Server = Literal["gunicorn", "uvicorn"]


class ShopError(RuntimeError):
    """The shop did not start, or a command of it failed; the text ends with what it said."""


class RunningShop:
    """A context in which the shop answers at `url`; its processes are gone when the context is left.

    environment: added to this process's own for everything that is started, so DATABASE_URL and E2EDEBUG_* go there.
    stop_limit_s: what is not gone by then is killed; a gunicorn kills its workers after a third of it.
    One request to /api/health/ is sent by `start` itself.
    """

    def __init__(
        self,
        work_folder: Path,
        environment: Mapping[str, str],
        *,
        server: Server = "gunicorn",
        workers: int = 2,
        threads: int = 4,
        stop_limit_s: float = STOP_LIMIT_S,
    ) -> None:
        self.work_folder = work_folder
        self.log = work_folder / "shop.log"
        self.url = ""
        self._server = server
        self._workers = workers
        self._threads = threads
        self._stop_limit_s = stop_limit_s
        self._environment = {**os.environ, "SHOP_WORK_FOLDER": str(work_folder), **environment}
        self._processes: list[subprocess.Popen[str]] = []
        self._worker: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def prepare(self, *arguments: str) -> None:
        """Make the shop's tables and goods, unless they are there; what it says goes to this terminal."""
        # What fills the shop is not traffic: two hundred INSERTs would be the longest workflow of all.
        environment = {**self._environment, "E2EDEBUG_ENABLED": "0"}
        command = [sys.executable, str(HERE / "manage.py"), "prepare_shop", *arguments]
        finished = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if finished.returncode:
            complaint = "\n".join(line for line in finished.stderr[-2000:].splitlines() if " INFO " not in line)
            raise ShopError(f"the shop cannot be made ready:\n{complaint}")

    def switch_faults(self, how: Literal["on", "off", "only"], *names: str) -> None:
        """Switch faults and return when that can be felt. Raises ShopError when it cannot be done."""
        command = [sys.executable, str(HERE / "faults.py"), how, *names]
        # A group of its own: Ctrl-C in the terminal must not stop it half-way through dropping an index.
        finished = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, start_new_session=True
        )
        if finished.returncode:
            raise ShopError(f"faults.py {how} {' '.join(names)}: {finished.stderr[-2000:].strip()}")

    def start(self) -> None:
        """Start the payment provider, the worker and the shop; return when the shop has answered once."""
        self.work_folder.mkdir(parents=True, exist_ok=True)
        provider = self._run([sys.executable, str(HERE / "payment_provider.py"), "--port", "0"], subprocess.PIPE)
        assert provider.stdout is not None
        self._environment["PAYMENT_PROVIDER_URL"] = provider.stdout.readline().strip()
        with (self.work_folder / "worker.log").open("a") as log:
            self._worker = self._run(_worker_command(), log.fileno())
        # The listening socket is opened here and inherited: nobody can take the port in between.
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with self.log.open("a") as log:
                shop = self._run(self._server_command(listener.fileno()), log.fileno(), listener.fileno())
        self._wait_for_an_answer(shop)

    def stop(self) -> None:
        """End every process that was started, politely first; return when they are gone."""
        # Not SIGINT: what is started from a background job of a shell ignores it.
        deadline = time.monotonic() + self._stop_limit_s
        for process in reversed(self._processes):
            if process is not self._worker:
                process.send_signal(signal.SIGTERM)
        if self._worker is not None:
            self._wait_for_the_tasks(self._worker, deadline)
            self._worker.send_signal(signal.SIGTERM)
            self._worker = None
        for process in reversed(self._processes):
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            # Each has a process group of its own: this reaches workers whose master is already gone.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._processes.clear()

    def last_words(self) -> str:
        """Return the end of the shop's log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(it has no log)"

    def waiting_tasks(self) -> int:
        """Return how many tasks wait for the worker in the shop's own folder."""
        queue = self.work_folder / "tasks"
        return sum(1 for _ in queue.iterdir()) if queue.is_dir() else 0

    def _wait_for_the_tasks(self, worker: subprocess.Popen[str], deadline: float) -> None:
        while self.waiting_tasks() and worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def _server_command(self, listener: int) -> list[str]:
        if self._server == "uvicorn":
            application = ["uvicorn", "shop.asgi:application", "--fd", str(listener), "--log-level", "warning"]
            return [sys.executable, "-m", *application, "--app-dir", str(HERE), "--lifespan", "off"]
        options = ["--workers", str(self._workers), "--threads", str(self._threads), "--keep-alive", "30"]
        return [
            *(sys.executable, "-m", "gunicorn", "shop.wsgi", "--bind", f"fd://{listener}", "--chdir", str(HERE)),
            *(*options, "--graceful-timeout", str(int(self._stop_limit_s / 3)), "--log-level", "warning"),
        ]

    def _run(self, command: list[str], output: int, inherited: int | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output == subprocess.PIPE else subprocess.STDOUT,
            text=True,
            # Ctrl-C in the terminal goes to the demo alone, which ends the others in order.
            start_new_session=True,
            pass_fds=() if inherited is None else (inherited,),
        )
        self._processes.append(process)
        return process

    def _wait_for_an_answer(self, shop: subprocess.Popen[str]) -> None:
        host = self.url.removeprefix("http://")
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and shop.poll() is None:
            # The socket listens already, so one request is enough: it waits until a worker takes it.
            connection = http.client.HTTPConnection(host, timeout=START_LIMIT_S)
            try:
                connection.request("GET", "/api/health/")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.1)  # the shop is going down; poll() says so next time
            finally:
                connection.close()
        raise ShopError(f"the shop did not start; the end of {self.log}:\n{self.last_words()}")


def _worker_command() -> list[str]:
    options = ["--pool", "prefork", "--concurrency", "2", "--loglevel", "error"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [sys.executable, "-m", "celery", "--workdir", str(HERE), "-A", "shop", "worker", *options, *quiet]
