"""The process runtime: a scaffolded folder, served by this Python."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openenv import GenericEnvClient
from openenv.errors import NotReady, Refused, StartFailed
from openenv.runtimes import ProcessRuntime, Runtime
from openenv.runtimes.contract import is_healthy
from openenv.runtimes.process import ServerProcess, serve_command, wait_for_url
from openenv.testing.runtimes import RuntimeChecks
from tests.runtimes.images import scaffold
from tests.runtimes.waiting import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scaffold(tmp_path_factory.mktemp("process"))


class TestProcessRuntime(RuntimeChecks):
    """The checks of every runtime."""

    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path, tmp_path: Path) -> None:
        self.folder, self.empty = folder, tmp_path

    def make(self) -> Runtime:
        return ProcessRuntime(self.folder)

    def make_failing(self) -> Runtime:
        return ProcessRuntime(self.empty)

    def kill(self, runtime: Runtime) -> None:
        assert isinstance(runtime, ProcessRuntime)
        assert runtime._server is not None
        os.killpg(runtime._server._process.pid, signal.SIGKILL)

    def left_behind(self) -> list[str]:
        listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if str(self.folder) in line or str(self.empty) in line]


def test_a_folder_without_an_environment_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="it exited with code 2") as caught:
        ProcessRuntime(tmp_path).start()
    assert "openenv.yaml" in caught.value.logs


def test_an_interpreter_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(StartFailed, match="/no/such/python cannot be run"):
        ProcessRuntime(folder, python="/no/such/python").start()


def test_a_server_that_says_nothing_is_not_ready() -> None:
    server = ServerProcess([sys.executable, "-c", "import time; time.sleep(60)"], env=os.environ)
    with pytest.raises(NotReady, match=r"within 0.2 s; allow more by start_timeout_s"):
        wait_for_url(server, timeout_s=0.2)
    server.stop()


def test_an_address_is_read_whole_and_only_this_machines() -> None:
    said = "see http://docs.example/x\\nhttp://127.0.0.1:80"
    program = (
        f"import time; print('{said}', end='', flush=True); time.sleep(0.3); print('01', flush=True); time.sleep(60)"
    )
    server = ServerProcess([sys.executable, "-c", program], env=os.environ)
    assert wait_for_url(server, timeout_s=10) == "http://127.0.0.1:8001"
    server.stop()
    assert server.output() == ""


def test_a_server_that_ignores_the_request_to_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openenv.runtimes.process._STOP_S", 0.2)
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    server = ServerProcess([sys.executable, "-c", program], env=os.environ)
    assert until(lambda: "ready" in server.output())
    server.stop()
    assert server.died() == "it was killed by SIGKILL"


def test_what_a_server_started_goes_with_it() -> None:
    child = "import time; time.sleep(60)"
    program = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', '{child}']).pid, flush=True)"
    server = ServerProcess([sys.executable, "-c", program], env=os.environ)
    assert until(server.died)
    pid = int(server.output())
    server.stop()
    assert until(lambda: not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text())


def test_variables_workers_and_a_port_are_honoured(folder: Path) -> None:
    with ProcessRuntime(folder, workers=2, env_vars={"OPENENV_TOKEN": "secret", "OPENENV_DRAIN_S": "0"}) as runtime:
        first = runtime.url
        with pytest.raises(Refused), GenericEnvClient(first):
            pass
    with ProcessRuntime(folder, port=int(first.rpartition(":")[2])) as runtime:
        assert runtime.url == first
        assert is_healthy(first)


def test_a_server_goes_with_the_process_that_was_killed(folder: Path) -> None:
    program = (
        "import sys; from openenv.runtimes import ProcessRuntime;"
        "print(ProcessRuntime(sys.argv[1]).start(), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert is_healthy(url)
        process.kill()
    assert until(lambda: not is_healthy(url))


def test_the_command_is_that_of_this_python() -> None:
    command = ["py", "-m", "openenv.cli", "serve", "my_env", "--host", "127.0.0.1", "--port", "0"]
    assert serve_command(Path("my_env"), python="py", port=0, workers=1) == command
    assert serve_command(Path("my_env"), python="py", port=0, workers=3) == [*command, "--workers", "3"]
