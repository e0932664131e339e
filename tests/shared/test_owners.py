"""Queries to another service: the meaning of its answers, and ids in paths."""

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from services.settings import Settings
from shared.owners import OwnerAway, OwnerRefused, Owners, path_to
from tests.support import SERVICE_KEYS, loopback_server, reaching

STRANGE = "../loans?as_of=1#x/%2e ü"


@contextlib.asynccontextmanager
async def owners(settings: Settings, status: int = 200) -> AsyncIterator[Owners]:
    """Owners whose circulation answers every GET with this status and the requested path."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def answer(request: Request) -> Response:
        raw = request.scope["raw_path"].decode()
        return Response(f'"{raw}"', status, media_type="application/json")

    async with loopback_server(app) as url:
        asked = Owners(reaching(settings, circulation=url), "notices")
        yield asked
        await asked.close()


async def test_an_id_with_any_characters_is_encoded_as_one_path_segment(settings: Settings) -> None:
    path = path_to("v1", "loans", STRANGE, "fine-statement")
    async with owners(settings) as asked:
        answer = await asked.get("circulation", path, token="t", params={"as_of": "2021-02-19"})
    assert answer == "/v1/loans/..%2Floans%3Fas_of%3D1%23x%2F%252e%20%C3%BC/fine-statement"


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_an_id_that_cannot_be_part_of_a_path_is_a_faulty_message(part: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        path_to("v1", "loans", part)


@pytest.mark.parametrize("status", [400, 405, 409, 410, 414, 422])
async def test_a_4xx_response_means_that_the_request_is_faulty(
    settings: Settings, status: int
) -> None:
    async with owners(settings, status) as asked:
        with pytest.raises(OwnerRefused) as refused:
            await asked.get("circulation", "/v1/loans/l", token="t")
    assert refused.value.code == f"circulation-answers-{status}"


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503])
async def test_an_owner_that_cannot_answer_now_counts_as_away(
    settings: Settings, status: int
) -> None:
    async with owners(settings, status) as asked:
        with pytest.raises(OwnerAway):
            await asked.get("circulation", "/v1/loans/l", token="t")


async def test_a_resource_that_its_owner_does_not_have_is_none(settings: Settings) -> None:
    async with owners(settings, 404) as asked:
        assert await asked.get("circulation", "/v1/loans/l", token="t") is None


class Issuer:
    """A double of accounts that gives each log-in another token, and shows which one it gets."""

    def __init__(self) -> None:
        self.logins = 0
        self.seconds = 3600.0
        self.away = False

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/service-sessions")
        async def log_in() -> Any:
            if self.away:
                return Response(status_code=503)
            self.logins += 1
            return {"access_token": f"token {self.logins}", "expires_in": self.seconds}

        @app.get("/v1/patrons")
        async def patrons(request: Request) -> str:
            return request.headers["authorization"].removeprefix("Bearer ")

        return app


async def test_a_token_is_renewed_before_it_ends_and_used_while_its_issuer_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("shared.owners.time", SimpleNamespace(monotonic=lambda: now))
    issuer = Issuer()
    async with loopback_server(issuer.app()) as url:
        own = settings.model_copy(update={"service_key": SERVICE_KEYS["notices"]})
        asked = Owners(reaching(own, accounts=url), "notices")

        async def used() -> str:
            return str(await asked.get("accounts", "/v1/patrons"))

        assert [await used(), await used()] == ["token 1", "token 1"]
        issuer.away = True
        now += 1_801  # more than half of its life
        assert await used() == "token 1"
        issuer.away = False
        assert await used() == "token 1"  # not tried again at once
        now += 10
        assert await used() == "token 2"
        issuer.away = True
        now += 3_601
        with pytest.raises(OwnerAway):
            await used()
        issuer.away = False
        assert await used() == "token 3"
        await asked.close()
