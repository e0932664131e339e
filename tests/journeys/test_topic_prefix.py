"""Two systems on one broker, separated by the prefix of their topics and consumer groups."""

from collections.abc import Iterator

import pytest

from ops.audit.system import audit
from ops.broker.offsets import Positions
from ops.environment import load
from ops.infrastructure.embedded import Infrastructure, embedded
from ops.infrastructure.processes import System, services
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import all_topics, dead_letter_topic
from shared.names import Names
from tests.library import Library
from tests.ops.command import carrel
from tests.systems import data_folder

pytestmark = pytest.mark.embedded  # both systems are on the embedded broker


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """A database server and a broker for both systems."""
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, mongo_port=None, kafka_port=None) as infrastructure,
    ):
        yield infrastructure


@pytest.fixture(scope="module")
def systems(
    tmp_path_factory: pytest.TempPathFactory, shared: Infrastructure
) -> Iterator[tuple[System, System]]:
    """One system without a prefix and one with a prefix, each with its own databases."""
    with (
        data_folder(tmp_path_factory) as one,
        data_folder(tmp_path_factory) as other,
        services(shared, one, simulation=True, usual_ports=False) as plain,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("CARREL_DATABASE_PREFIX", "branch-two")
        environment.setenv("CARREL_TOPIC_PREFIX", "branch-two.")
        with services(shared, other, simulation=True, usual_ports=False) as prefixed:
            environment.undo()
            yield plain, prefixed


async def test_two_systems_on_one_broker_do_not_see_each_others_events(
    systems: tuple[System, System],
) -> None:
    for count, system in enumerate(systems, start=1):
        async with Library(system) as library:
            branch = await library.branch()
            cards = [await library.patron(branch) for _ in range(count)]
            books = await library.copies(branch, count)
            await library.flow.settle(within=60)
            for card, book in zip(cards, books, strict=True):
                await library.lend(card, [book], branch)
            await library.flow.settle(within=60)
            for card in cards:
                assert len((await library.get("/v1/me", by=card))["loans"]) == 1

    for count, system in enumerate(systems, start=1):
        settings = system.settings(Settings)
        async with Positions(settings) as positions:
            assert set(positions.topics) == set(all_topics(NAMES))
            lent = [record async for record in positions.records("loan.checked-out")]
            ends = await positions.ends()
            dead_letters = sum(end for p, end in ends.items() if p.topic.startswith("dead-letter."))
        assert (len(lent), dead_letters) == (count, 0)
        assert (await audit(settings)).findings == []


async def test_operator_commands_use_topics_with_the_prefix(
    systems: tuple[System, System],
) -> None:
    plain, prefixed = (system.settings(Settings) for system in systems)
    for settings, system in ((plain, systems[0]), (prefixed, systems[1])):
        async with Library(system) as library:
            await library.patron(await library.branch())  # an event of accounts to publish again
            await library.flow.settle()
        for command in (("topics", "check"), ("replay", "accounts")):
            ran = await carrel(settings, *command, **system.environment)
            assert ran.code == 0, ran.err
        told = await carrel(settings, "doctor", "--json", **system.environment)
        by_check = {found["check"]: found for found in told.json()["findings"]}
        assert by_check["topics"]["level"] == "ok"
        assert ("branch-two." in by_check["topics"]["found"]) == bool(settings.topic_prefix)

    nowhere = prefixed.model_copy(update={"topic_prefix": "nobody."})
    environment = {**systems[1].environment, "CARREL_TOPIC_PREFIX": "nobody."}
    missing = await carrel(nowhere, "topics", "check", **environment)
    assert missing.code == 1
    assert f"nobody.{dead_letter_topic('gateway')}: is missing" in missing.err


@pytest.mark.parametrize("prefix", ["a/b", "a b", "a_b", "ü", "x" * 41])
def test_a_prefix_that_kafka_could_not_use_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("CARREL_TOPIC_PREFIX", prefix)
    with pytest.raises(
        SystemExit, match=r"CARREL_TOPIC_PREFIX: .*letters, digits, dots and dashes"
    ):
        load(Settings)


def test_topics_of_another_system_are_ignored() -> None:
    names = Names("a.")
    assert names.topic(names.on_kafka("loan.renewed")) == "loan.renewed"
    assert names.topic("b.loan.renewed") == ""
