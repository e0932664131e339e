"""Services as processes: configuration, crashes, and a complete clean-up."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from ops.infrastructure import ports
from ops.infrastructure.child import Child, StartFailed
from ops.infrastructure.embedded import Infrastructure
from ops.infrastructure.processes import System, services, system
from services.registry import NAMES
from tests import patience

TWICE = ("--replicas", "circulation=2")
NOWHERE = Infrastructure("mongodb://127.0.0.1:1", "127.0.0.1:1", None, None)


def environment_of(url: str) -> dict[str, str]:
    with urlopen(f"{url}/environment", timeout=patience.stretched(5)) as answer:  # noqa: S310 - a loopback address
        environment: dict[str, str] = json.load(answer)
    return environment


def test_each_service_gets_the_addresses_of_the_others(small_services: Path) -> None:
    with services(
        NOWHERE,
        small_services / "data",
        simulation=True,
        replicas={"circulation": 2},
        environment={
            "circulation": {"CARREL_LOG_LEVEL": "debug"},
            "circulation-1": {"CARREL_FAILPOINT": "failpoint"},
        },
        usual_ports=False,
    ) as system:
        assert set(system.processes) == {f"{name}-0" for name in NAMES} | {"circulation-1"}
        gateway = environment_of(system.gateway_url)
        first, second = (environment_of(system.url("circulation", replica)) for replica in (0, 1))
        both = f"{system.url('circulation', 0)},{system.url('circulation', 1)}"
        for caller in (gateway, environment_of(system.url("notices"))):
            assert caller["CARREL_CIRCULATION_URL"] == both

    assert gateway["CARREL_MONGO_URL"] == NOWHERE.mongo_url
    assert gateway["CARREL_KAFKA"] == NOWHERE.kafka
    assert gateway["CARREL_SIMULATION"] == "1"
    assert gateway["CARREL_ACCOUNTS_URL"] == system.url("accounts")
    assert len(gateway["CARREL_SERVICE_SECRET"]) >= 32
    assert gateway["CARREL_SERVICE_SECRET"] == first["CARREL_SERVICE_SECRET"]
    assert "CARREL_LOG_LEVEL" not in gateway
    assert (first["CARREL_REPLICA"], second["CARREL_REPLICA"]) == ("0", "1")
    assert first["CARREL_PORT"] != second["CARREL_PORT"]
    assert first["CARREL_LOG_LEVEL"] == second["CARREL_LOG_LEVEL"] == "debug"
    assert "CARREL_FAILPOINT" not in first
    assert second["CARREL_FAILPOINT"] == "failpoint"
    assert not any(child.running for child in system.processes.values())


def test_a_killed_service_starts_again_at_its_address_with_other_settings(
    small_services: Path,
) -> None:
    with services(NOWHERE, small_services / "data", names=["events"], usual_ports=False) as system:
        events = system.process("events")
        events.kill()
        assert events.exit_code == -signal.SIGKILL
        with pytest.raises(URLError):
            environment_of(system.url("events"))
        events.environment = {**events.environment, "CARREL_FAILPOINT": "another"}
        events.start()
        assert environment_of(system.url("events"))["CARREL_FAILPOINT"] == "another"


def test_a_service_whose_tasks_keep_failing_exits_with_an_error(small_services: Path) -> None:
    with services(NOWHERE, small_services / "data", names=["events"], usual_ports=False) as system:
        events = system.process("events")
        with urlopen(f"{system.url('events')}/give-up", timeout=patience.stretched(60)):  # noqa: S310 - a loopback address
            pass
        end = time.monotonic() + patience.stretched(60)
        while events.running:
            assert time.monotonic() < end, "the process goes on"
            time.sleep(0.05)
        assert events.exit_code == 1


def test_a_service_that_dies_at_start_is_named_with_the_end_of_its_log(
    small_services: Path,
) -> None:
    (small_services / "services" / "notices" / "app.py").write_text("raise OSError('no paper')\n")
    with (
        pytest.raises(StartFailed, match=r"(?s)notices-0 ended with code 1.*no paper"),
        services(NOWHERE, small_services / "data", names=["events", "notices"], usual_ports=False),
    ):
        pytest.fail("it started")


def test_secrets_are_kept_with_the_data_and_readable_by_their_owner_only(
    small_services: Path,
) -> None:
    seen = []
    for _ in range(2):
        with services(
            NOWHERE, small_services / "data", names=["events"], usual_ports=False
        ) as system:
            seen.append(system.environment["CARREL_CARD_KEY"])
    assert seen[0] == seen[1]
    assert (small_services / "data" / "secrets.json").stat().st_mode & 0o077 == 0


def test_secrets_and_logs_can_be_read_by_their_owner_only(small_services: Path) -> None:
    """Files that another release has left with other rights too."""
    data = small_services / "data"
    (data / "logs").mkdir(parents=True)
    for name in ("logs/events-0.log", "environment.json"):
        (data / name).touch(mode=0o644)
    mask = os.umask(0o022)
    try:
        with services(NOWHERE, data, names=["events", "notices"], usual_ports=False):
            files = {file.name: file.stat() for file in data.rglob("*") if file.is_file()}
    finally:
        os.umask(mask)
    assert {"secrets.json", "environment.json", "events-0.log", "notices-0.log"} <= set(files)
    assert [name for name, file in files.items() if file.st_mode & 0o077] == []


def test_a_service_gets_its_own_secrets_and_the_former_card_key_is_kept(
    small_services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_services / "data"
    data.mkdir()
    former = {"CARREL_CARD_KEY": "the card key of an earlier release"}
    (data / "secrets.json").write_text(json.dumps(former))
    monkeypatch.setenv("CARREL_RESET_KEYS", "a key of the machine, meant for another system")
    with services(NOWHERE, data, usual_ports=False) as system:
        found = {name: environment_of(system.url(name)) for name in NAMES}
    has = {
        name: {one for one in environment if one.endswith(("_KEY", "_KEYS", "_SECRETS"))}
        for name, environment in found.items()
    }
    own = {"CARREL_SERVICE_KEY", "CARREL_AUDIT_KEYS"}
    assert has["events"] == own
    assert has["gateway"] == {*own, "CARREL_OFFLINE_KEYS"}
    assert has["circulation"] == {*own, "CARREL_CARD_KEY"}
    assert has["notices"] == {
        *own,
        "CARREL_VISIT_KEYS",
        "CARREL_WEBHOOK_KEYS",
        "CARREL_VAPID_PRIVATE_KEY",
    }
    assert found["accounts"]["CARREL_CARD_KEY"] == former["CARREL_CARD_KEY"]
    for variable in ("CARREL_RESET_KEYS", "CARREL_AUDIT_KEYS"):
        [new, old] = found["accounts"][variable].split(",")
        assert (len(new), old) == (64, former["CARREL_CARD_KEY"])
    assert len({found[name]["CARREL_AUDIT_KEYS"] for name in NAMES}) == len(NAMES)


@pytest.fixture
def up(
    request: pytest.FixtureRequest, small_services: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator["subprocess.Popen[str]"]:
    """`carrel up` as a user runs it, with the small services."""
    monkeypatch.delenv("CARREL_MONGO_URL", raising=False)
    monkeypatch.delenv("CARREL_KAFKA", raising=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "up", *getattr(request, "param", TWICE)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.wait(patience.stretched(10))
    if process.stdout:
        process.stdout.close()


def until_ready(process: "subprocess.Popen[str]") -> str:
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if line.startswith("Ready:"):
            return "".join(lines)
    pytest.fail("".join(lines))


def every_process() -> Iterator[Path]:
    if not Path("/proc/self").exists():
        pytest.skip("processes are looked for in /proc, which Linux alone has")
    return Path("/proc").glob("[0-9]*")


def running_in(folder: Path) -> list[str]:
    """Return the command lines of other processes that work in the folder."""
    found = []
    for process in every_process():
        try:
            here = process.joinpath("cwd").resolve() == folder
            command = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if here and command and int(process.name) != os.getpid():
            found.append(command)
    return found


def wait_for_none(folder: Path) -> None:
    end = time.monotonic() + patience.stretched(15)
    while left := running_in(folder):
        assert time.monotonic() < end, left
        time.sleep(0.05)


@pytest.mark.parametrize("up", [("--no-services",)], indirect=True)
def test_up_without_services_runs_the_database_and_the_broker_for_commands(
    up: "subprocess.Popen[str]", small_services: Path
) -> None:
    lines = until_ready(up).splitlines()
    assert lines[-1].startswith("Ready: the database and the broker   logs: ")
    assert not [line for line in lines if " pid " in line]
    given = json.loads((small_services / ".data" / "up" / "environment.json").read_text())
    assert given["CARREL_MONGO_URL"].startswith("mongodb://127.0.0.1")
    up.send_signal(signal.SIGINT)
    assert up.wait(patience.stretched(20)) == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 0, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 0, id="sigterm"),
        pytest.param(signal.SIGKILL, -9, id="kill-9"),
    ],
)
def test_up_prints_its_addresses_and_leaves_nothing_running(
    up: "subprocess.Popen[str]", small_services: Path, number: signal.Signals, code: int
) -> None:
    said = until_ready(up)
    assert len(re.findall(r"^circulation-[01] ", said, re.MULTILINE)) == 2
    gateway = re.search(r"^Ready: (\S+)", said, re.MULTILINE)
    assert gateway
    assert environment_of(gateway[1])["CARREL_SIMULATION"] == "0"
    assert (
        len(running_in(small_services)) == 11
    )  # up, its guard, the prepared process, mongod, the broker, six services

    up.send_signal(number)
    assert up.wait(patience.stretched(20)) == code
    wait_for_none(small_services)


def crash(url: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        urlopen(f"{url}/crash", timeout=patience.stretched(5))  # noqa: S310 - a loopback address


def wait_for_output(process: "subprocess.Popen[str]", sentence: str) -> str:
    """Return the next line of output that contains the sentence."""
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if sentence in line:
            return line
    pytest.fail("".join(lines))


def test_up_restarts_a_killed_service_and_reports_it(
    up: "subprocess.Popen[str]",
) -> None:
    said = until_ready(up)
    events = re.search(r"^events-0 +(\S+)", said, re.MULTILINE)
    assert events
    for pause in (1, 2):
        crash(events[1])
        ended = wait_for_output(up, "events-0 ended with code 3.")
        assert f"It is started again in {pause} s." in ended
        wait_for_output(up, "events-0 is started again: pid ")
        answers_again(events[1])
    assert up.poll() is None


def answers_again(url: str) -> None:
    end = time.monotonic() + patience.stretched(60)
    while True:
        try:
            environment_of(url)
        except OSError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


def test_up_ends_with_the_reason_when_its_database_ends(
    up: "subprocess.Popen[str]", small_services: Path
) -> None:
    until_ready(up)
    [mongod] = processes_in(small_services, "mongod")
    os.kill(mongod, signal.SIGKILL)
    assert up.stdout
    assert "mongod ended with code -9" in up.stdout.read()
    assert up.wait(patience.stretched(20)) == 1
    wait_for_none(small_services)


def processes_in(folder: Path, program: str) -> list[int]:
    """Return the process ids of a program that keeps its data in the folder."""
    found = []
    for process in every_process():
        try:
            command = process.joinpath("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(program.encode()) and str(folder).encode() in b" ".join(command):
            found.append(int(process.name))
    return found


def test_up_reports_a_requested_port_that_is_taken(small_services: Path) -> None:
    taken = ports.reserve()
    try:
        with services(
            NOWHERE, small_services / "data", names=["gateway"], gateway_port=taken
        ) as system:
            moved = [text for text in system.moved_ports() if text.startswith(f"Port {taken} ")]
            listens = system.process("gateway").port
        assert moved == [f"Port {taken} is taken: gateway listens on {listens}."]
    finally:
        ports.release(taken)


def test_up_prints_no_note_if_it_gets_the_requested_port(small_services: Path) -> None:
    free = ports.reserve()
    ports.release(free)
    with services(NOWHERE, small_services / "data", names=["gateway"], gateway_port=free) as system:
        assert system.process("gateway").port == free
        assert not [one for one in system.moved_ports() if one.startswith(f"Port {free} ")]


def test_make_up_starts_with_the_libraries_of_the_reopening(
    small_services: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    recipe = "up: .venv/project.stamp\n\t@$(PY) -m ops up --demonstration\n"
    assert recipe in makefile.read_text()
    monkeypatch.delenv("CARREL_MONGO_URL", raising=False)
    monkeypatch.delenv("CARREL_KAFKA", raising=False)
    script = """
import sys, types
import typer
import ops.cli

def prepare(system):
    print("prepared", len(system.processes))
    raise typer.Exit(7)

sys.modules["ops.scenario.demonstration"] = types.SimpleNamespace(prepare=prepare)
ops.cli.app(["up", "--demonstration"])
"""
    up = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=patience.stretched(60),
        check=False,
    )
    assert (up.returncode, up.stdout.splitlines()[-1]) == (7, "prepared 5"), up.stderr
    wait_for_none(small_services)


@pytest.mark.parametrize(
    ("held", "code"), [pytest.param(True, 0, id="held"), pytest.param(False, 1, id="differed")]
)
def test_demo_runs_the_scenario_in_simulation_and_keeps_its_folder_only_if_it_differed(
    small_services: Path, monkeypatch: pytest.MonkeyPatch, held: bool, code: int
) -> None:
    monkeypatch.delenv("CARREL_MONGO_URL", raising=False)
    monkeypatch.delenv("CARREL_KAFKA", raising=False)
    script = f"""
import json, sys, types
from urllib.request import urlopen
import ops.cli

def run(system, *, as_json):
    with urlopen(system.gateway_url + "/environment") as answer:
        print(json.dumps([json.load(answer)["CARREL_SIMULATION"], as_json]))
    return {held}

def write_tables(system, folder):
    folder.mkdir()

sys.modules["ops.scenario.demo"] = types.SimpleNamespace(run=run, write_tables=write_tables)
ops.cli.app(["demo", "--json", "--tables", "tables"])
"""
    demo = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (demo.returncode, json.loads(demo.stdout)) == (code, ["1", True]), demo.stderr
    assert len(list((small_services / ".data").iterdir())) == (0 if held else 1)
    assert (small_services / "tables").exists() == held
    wait_for_none(small_services)


def test_demo_writes_tables_to_a_new_folder_only(tmp_path: Path) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "ops", "demo", "--tables", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (demo.returncode, demo.stdout) == (1, "")
    assert demo.stderr == f"{tmp_path} is there already: give a new folder.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["serve", "catalogue"], "no such service", id="service"),
        pytest.param(["serve", "events", "--role", "cook"], "no such role: cook", id="role"),
        pytest.param(["up", "--replicas", "events"], "SERVICE=N", id="replicas"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(arguments: list[str], says: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ops", *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert says in run.stderr


def test_a_folder_in_use_or_out_of_use_and_damaged_secrets_are_named(tmp_path: Path) -> None:
    used = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(used, fcntl.LOCK_EX)
    with pytest.raises(StartFailed, match=f"A system runs in {tmp_path}"), system(tmp_path):
        pytest.fail("it started")
    os.close(used)
    (tmp_path / "secrets.json").write_text("{")
    with (
        pytest.raises(StartFailed, match=r"secrets.json is damaged"),
        services(NOWHERE, tmp_path, names=[], usual_ports=False),
    ):
        pytest.fail("it started")
    up = subprocess.run(
        [sys.executable, "-m", "ops", "up", "--data", str(tmp_path / "secrets.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert up.returncode == 1
    assert up.stderr.endswith("secrets.json can't be used (File exists). Give another place.\n")


def test_every_port_that_was_taken_is_named() -> None:
    gateway = Child("gateway-0", (), Path(), lambda: True, 70, more_ports=(71, 72))
    found = System(NOWHERE, {"gateway-0": gateway}, {}, {"gateway-0": 70})
    assert found.moved_ports() == [
        "Port 1070 is taken: operations of gateway listens on 71.",
        "Port 6001 is taken: SIP2 listens on 72.",
    ]


def test_a_port_beyond_the_last_is_replaced() -> None:
    port = ports.reserve(65_535 + 465)  # that of operations for the last ones of the API
    ports.release(port)
    assert port in ports.FREE
