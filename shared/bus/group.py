"""The members of a consumer group."""

from aiokafka import AIOKafkaClient
from aiokafka.client import CoordinationType
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import LeaveGroupRequest

from shared.bus.connection import client_arguments
from shared.settings import Settings


async def leave_group(settings: Settings, group: str, client_id: str) -> None:
    """Take the members with this client id out of a consumer group.

    aiokafka lets no static member leave. Raises KafkaError or OSError if the broker is away.
    """
    client = AIOKafkaClient(**client_arguments(settings))
    try:
        await client.bootstrap()
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(node, DescribeGroupsRequest([group]))
        [(_, _, _, _, _, members, *_)] = answer.groups
        for member_id, of_client, *_ in members:
            if of_client == client_id:
                await client.send(node, LeaveGroupRequest(group, member_id))
    finally:
        await client.close()
