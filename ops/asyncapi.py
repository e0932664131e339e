"""The AsyncAPI document of all events, composed from their schemas."""

from collections.abc import Mapping
from typing import Any

import yaml

from shared.contracts import contract_name, resource_of, schema_uri
from shared.settings import Settings

FILE = "asyncapi.yaml"
HEADERS = "CloudEvent"
"""Name of the schema of the headers that all messages have."""
TOPICS = "Topic"
"""Name of the settings that all topics have."""
CHAIN = "Chain"
"""Name of the correlation id that all messages have."""
PSEUDONYMS = ("patron_id", "card_digest")
"""Fields that stand for a person, whom only accounts can name."""
Object = dict[str, Any]

_ABOUT = """\
Every change in the library is an event on a Kafka topic. An event is a snapshot of one resource
after the change, as plain JSON, with CloudEvents 1.0 headers in Kafka's binary mode.

- Order: events of one key (`x-key`) are in order within their topic. Events of different topics
  are not: `version` counts the changes of one resource over all topics with the same `x-resource`.
  Compare it for the same `x-subject`, and keep the highest.
- Repetition: every event can arrive more than once, also long after the first time, when an
  operator publishes it again. It has the same `ce_id` then.
- Completeness: an event is recorded in the transaction of its change, and published until the
  broker has acknowledged it. None is left out.
- Time: `ce_time` is the business time in UTC. A message's own timestamp is the time of recording.
- Retention and partitions are those of new topics: CARREL_RETENTION_DAYS and CARREL_PARTITIONS
  of the services. With CARREL_TOPIC_PREFIX, each address has that prefix.
- Evolution: a contract may gain optional fields. Any other change is a new topic with the suffix
  `.v2`. Ignore fields that you do not know.
- Personal data: no event has a name, an address, a card number or a text of a patron. Fields that
  stand for a patron are listed as `x-pseudonyms`; only accounts can say who that is. Activities
  name their speakers, as announced.
"""


def document(schemas: Mapping[str, Object]) -> Object:
    """Return the document of these topics' schemas, with the newest example of each."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Events of Carrel",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "MIT"},
            "tags": [
                {"name": name}
                for name in dict.fromkeys(schema["x-publisher"] for schema in schemas.values())
            ],
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The broker of the services.",
                "variables": {
                    "bootstrap": {
                        "default": Settings.model_fields["kafka"].default,
                        "description": "CARREL_KAFKA of the services.",
                    }
                },
            }
        },
        "channels": {topic: _channel(topic, schema) for topic, schema in schemas.items()},
        "operations": {
            f"publish.{topic}": _operation(topic, schema) for topic, schema in schemas.items()
        },
        "components": {
            "schemas": {HEADERS: _headers()},
            "channelBindings": {TOPICS: _topics()},
            "correlationIds": {
                CHAIN: {
                    "description": "Id of the request or job that started the chain of events.",
                    "location": "$message.header#/ce_correlationid",
                }
            },
            "messages": {
                contract_name(topic): _message(topic, schema) for topic, schema in schemas.items()
            },
        },
    }


def rendered(schemas: Mapping[str, Object]) -> bytes:
    """Return the document as YAML, in which lists and mappings of single values take one line."""
    text: str = yaml.dump(
        document(schemas),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )
    return b"# Written by `carrel contracts export`.\n" + text.encode()


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _channel(topic: str, schema: Object) -> Object:
    return {
        "address": topic,
        "messages": {contract_name(topic): _ref("components", "messages", contract_name(topic))},
        "tags": [{"name": schema["x-publisher"]}],
        "bindings": _ref("components", "channelBindings", TOPICS),
    }


def _topics() -> Object:
    """Return the settings with which `shared/bus/topics.py` creates the topics."""
    return {
        "kafka": {
            "partitions": Settings.model_fields["partitions"].default,
            "topicConfiguration": {
                "cleanup.policy": ["delete"],
                "retention.ms": Settings.model_fields["retention_days"].default * 86_400_000,
            },
            "bindingVersion": "0.5.0",
        }
    }


def _operation(topic: str, schema: Object) -> Object:
    return {
        "action": "send",
        "summary": _summary(schema),
        "channel": _ref("channels", topic),
        "messages": [_ref("channels", topic, "messages", contract_name(topic))],
        "tags": [{"name": schema["x-publisher"]}],
    }


def _message(topic: str, schema: Object) -> Object:
    key = schema["x-key"]
    return {
        "name": topic,
        "title": schema["title"],
        "summary": _summary(schema),
        **_more(schema),
        "tags": [{"name": schema["x-publisher"]}],
        "x-key": key,
        "x-resource": resource_of(topic),
        "x-subject": schema["x-subject"],
        "x-pseudonyms": [name for name in PSEUDONYMS if name in schema["properties"]],
        "headers": {
            "type": "object",
            "allOf": [
                _ref("components", "schemas", HEADERS),
                {
                    "properties": {
                        "ce_type": {"const": topic},
                        "ce_source": {"const": f"/services/{schema['x-publisher']}"},
                        "ce_dataschema": {"const": schema_uri(topic)},
                    }
                },
            ],
        },
        # Without `schemaFormat`: AsyncAPI's parser does not check a payload of draft 2020-12.
        "payload": {"$ref": f"./{contract_name(topic)}.json"},
        "correlationId": _ref("components", "correlationIds", CHAIN),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"`{key}` of the payload."},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"payload": payload} for payload in schema.get("examples", ())[-1:]],
    }


def _more(schema: Object) -> Object:
    """Return the description of a message, unless its summary says all."""
    description: str = schema["description"]
    return {"description": description} if "\n" in description else {}


def _summary(schema: Object) -> str:
    summary: str = schema["description"].partition("\n")[0]
    return summary


def _ref(*path: str) -> Object:
    return {"$ref": f"#/{'/'.join(path)}"}


def _headers() -> Object:
    """Return the schema of the headers, as `shared/outbox.py` writes them."""
    identifier = {"type": "string", "minLength": 1}
    properties: Object = {
        "content-type": {"const": "application/json"},
        "ce_specversion": {"const": "1.0"},
        "ce_id": {
            "type": "string",
            "format": "uuid",
            "description": "Id of the event (UUIDv7): the same whenever it is published again.",
        },
        "ce_type": {**identifier, "description": "The topic, without a prefix."},
        "ce_source": {**identifier, "description": "The publishing service."},
        "ce_subject": {**identifier, "description": "Id of the resource."},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "Business time of the change, UTC.",
        },
        "ce_dataschema": {**identifier, "description": "Name of the contract, as a URI."},
        "ce_correlationid": {
            "type": "string",
            "description": "Id of the request or job that started the chain of events.",
        },
        "ce_causationid": {
            "type": "string",
            "description": "Id of the event that led to this one; else the correlation id.",
        },
        "traceparent": {"type": "string", "description": "W3C Trace Context, if traced."},
        "tracestate": {"type": "string", "description": "W3C Trace Context, if traced."},
    }
    optional = ("traceparent", "tracestate")
    return {
        "type": "object",
        "description": "Headers of every message; their values are UTF-8 text.",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }
