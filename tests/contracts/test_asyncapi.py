"""The AsyncAPI document describes the events as they are published, and every schema is valid."""

import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from ops.asyncapi import FILE, PSEUDONYMS
from ops.commands.contracts import FOLDER, export
from services.settings import Settings
from shared.bus.topics import declared_topics
from shared.clock import wall_clock
from shared.contracts import contract_name, published
from shared.outbox import outbox_row
from tests import patience
from tests.contracts.test_compatibility import checked
from tests.contracts.test_samples import samples_of

PARSE = Path(__file__).parent / "node" / "parse.mjs"
TOPICS = sorted(published())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / FILE).read_bytes())
    return loaded


def message_of(topic: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return the message of a topic, found as a reader of the document finds it."""
    [referred] = document["channels"][topic]["messages"].values()
    return resolved(referred, document)


def resolved(form: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return the object that a reference inside the document names."""
    for name in form["$ref"].removeprefix("#/").split("/"):
        document = document[name]
    return document


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.name)
def test_every_schema_is_valid_json_schema(file: Path) -> None:
    jsonschema_rs.meta.validate(orjson.loads(file.read_bytes()))


def test_a_schema_with_an_unknown_type_is_found() -> None:
    schema = orjson.loads((FOLDER / "loan.overdue.v1.json").read_bytes())
    schema["properties"]["renewals"]["type"] = "number of renewals"
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.meta.validate(schema)


def test_each_topic_is_a_channel_with_one_operation_and_one_message(
    document: dict[str, Any],
) -> None:
    assert document["channels"].keys() == published().keys()
    sent = [operation["channel"]["$ref"] for operation in document["operations"].values()]
    assert sent == [f"#/channels/{topic}" for topic in document["channels"]]
    names = {contract_name(topic) for topic in published()}
    assert document["components"]["messages"].keys() == names


@pytest.mark.parametrize("topic", TOPICS)
def test_a_message_names_its_publisher_key_schema_and_newest_example(
    topic: str, document: dict[str, Any]
) -> None:
    contract, message = published()[topic], message_of(topic, document)
    assert message["name"] == topic
    assert (message["x-key"], message["x-subject"]) == (contract.key_field, contract.subject_field)
    assert message["tags"] == [{"name": contract.publisher}]
    [example] = message["examples"]
    assert example["payload"] == samples_of(topic)[-1]
    schema = orjson.loads((FOLDER / message["payload"]["$ref"]).read_bytes())
    jsonschema_rs.validate(schema, example["payload"])
    assert set(message["x-pseudonyms"]) == set(PSEUDONYMS) & schema["properties"].keys()


@pytest.mark.parametrize("topic", TOPICS)
def test_the_headers_of_a_recorded_event_fit_the_document(
    topic: str, document: dict[str, Any]
) -> None:
    contract = published()[topic]
    event = contract.model_validate_json(orjson.dumps(samples_of(topic)[-1]))
    row = outbox_row(
        event,
        service=contract.publisher,
        now=wall_clock(),
        correlation_id="a request",
        causation_id="",
    )
    schema = {**message_of(topic, document)["headers"], "components": document["components"]}
    jsonschema_rs.validate(schema, row["headers"], validate_formats=True)
    for wrong in ({"ce_type": "loan.forgotten"}, {"ce_id": "no UUID"}, {"ce_specversion": "0.3"}):
        assert not jsonschema_rs.is_valid(
            schema, {**row["headers"], **wrong}, validate_formats=True
        )
    assert not jsonschema_rs.is_valid(schema, {"content-type": "application/json"})


def test_partitions_and_retention_are_those_of_new_topics(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CARREL_PARTITIONS", "CARREL_RETENTION_DAYS"):
        monkeypatch.delenv(name, raising=False)
    for topic in declared_topics(Settings(), ()):
        kafka = resolved(document["channels"][topic.name]["bindings"], document)["kafka"]
        assert kafka["partitions"] == topic.num_partitions
        retention = kafka["topicConfiguration"]["retention.ms"]
        assert str(retention) == topic.topic_configs["retention.ms"]


def test_the_check_reports_a_document_that_is_missing_or_was_changed(tmp_path: Path) -> None:
    export(tmp_path)
    assert checked(tmp_path).returncode == 0
    (tmp_path / FILE).write_text("asyncapi: 3.1.0\n")
    ran = checked(tmp_path)
    assert (ran.returncode, FILE in ran.stderr) == (1, True)
    (tmp_path / FILE).unlink()
    ran = checked(tmp_path)
    assert (ran.returncode, FILE in ran.stderr) == (1, True)


def parsed(document: Path) -> "subprocess.CompletedProcess[str]":
    command = ["node", str(PARSE), str(document)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=patience.stretched(240), check=False
    )


@pytest.mark.web
def test_asyncapis_own_parser_reads_the_document() -> None:
    ran = parsed(FOLDER / FILE)
    assert (ran.returncode, ran.stderr) == (0, "")
    found = orjson.loads(ran.stdout)
    assert found["channels"] == len(published())
    assert found["required"]["loan.returned"] == sorted(
        orjson.loads((FOLDER / "loan.returned.v1.json").read_bytes())["required"]
    )


@pytest.mark.web
def test_asyncapis_own_parser_looks_into_the_payloads(tmp_path: Path) -> None:
    export(tmp_path)
    file = tmp_path / "loan.returned.v1.json"
    schema = orjson.loads(file.read_bytes())
    schema["properties"]["renewals"]["type"] = "number of renewals"
    file.write_bytes(orjson.dumps(schema))
    ran = parsed(tmp_path / FILE)
    assert ran.returncode == 1
    assert "renewals" in ran.stderr
