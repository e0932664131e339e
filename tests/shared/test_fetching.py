"""Fetches are the same bytes as aiokafka's, and their answers are read as aiokafka reads them."""

import struct
from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v10, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.fetching import _Fetch, _Request, _Response

NEW, OLD = {FetchRequest.API_KEY: (0, 13)}, {FetchRequest.API_KEY: (0, 10)}
"""The versions that a broker knows, by request."""

short, integer = (st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32))
long = st.integers(-(2**63), 2**63 - 1)
topic = st.text(max_size=12)
asked = st.lists(st.tuples(topic, st.lists(st.tuples(integer, long, integer), max_size=4)))
aborted = st.one_of(st.none(), st.lists(st.tuples(long, long), max_size=3))
records = st.one_of(st.none(), st.binary(max_size=40))
errors = st.one_of(st.just(0), short)
replica = st.one_of(st.just(-1), integer)
partition = st.tuples(integer, errors, long, long, long, aborted, replica, records)
answered = st.lists(st.tuples(topic, st.lists(partition, max_size=4)), max_size=4)


@given(asked, st.tuples(integer, integer, integer, st.sampled_from([0, 1])), topic)
def test_a_fetch_is_written_as_aiokafka_writes_it(
    topics: Any, limits: tuple[int, int, int, int], rack: str
) -> None:
    request = FetchRequest(*limits, topics, rack)
    quick = _Fetch(request)
    assert quick.topics == topics
    prepared = quick.prepare(NEW)
    assert type(prepared) is _Request
    assert prepared.encode() == request.prepare(NEW).encode()
    header = prepared.build_request_header(correlation_id=7, client_id="x")
    assert header.encode() == request.prepare(NEW).build_request_header(7, "x").encode()


def test_an_older_broker_gets_what_aiokafka_writes() -> None:
    prepared = _Fetch(FetchRequest(1, 2, 3, 0, [("t", [(0, 5, 9)])])).prepare(OLD)
    assert type(prepared) is FetchRequest_v10
    assert prepared.topics == [("t", [(0, -1, 5, -1, 9)])]


@given(answered, integer, short, integer)
def test_an_answer_is_read_as_aiokafka_reads_it_without_partitions_that_have_only_an_end(
    topics: Any, wait: int, error: int, session: int
) -> None:
    answer = FetchResponse_v11(wait, error, session, topics).encode()
    read = _Response.decode(BytesIO(answer))
    assert (read.throttle_time_ms, read.error_code, read.session_id) == (wait, error, session)
    left = {(name, one[0]): one for name, partitions in read.topics for one in partitions}
    expected = {
        (name, one[0]): (*one[:5], one[5] or [], one[6], one[7] or b"")
        for name, partitions in FetchResponse_v11.decode(answer).topics
        for one in partitions
        if one[1] or one[5] or one[6] >= 0 or one[7]
    }
    assert left == expected


@given(answered.filter(bool), st.data())
def test_an_answer_that_ends_too_early_is_an_error(topics: Any, data: st.DataObject) -> None:
    answer = FetchResponse_v11(0, 0, 0, topics).encode()
    shorter = answer[: data.draw(st.integers(0, len(answer) - 1))]
    with pytest.raises((ValueError, struct.error)):
        _Response.decode(shorter)
