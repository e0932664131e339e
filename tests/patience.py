"""The deadlines of requests, raised for tests on a busy machine."""

import sys

import pytest

TIMES = 10

DEADLINES = {
    "services.accounts.usecases.confirm_pin": ["PATIENCE_SECONDS"],
    "services.accounts.usecases.erase_patron": ["WITHIN_SECONDS"],
    "services.accounts.usecases.spend_budgets": ["PATIENCE_SECONDS"],
    "services.circulation.provider": ["CALL_SECONDS"],
    "services.circulation.store.titles": ["SEARCH_SECONDS"],
    "services.gateway.edge.busy": ["LATE_SECONDS"],
    "services.gateway.edge.calendars": ["LOOKUP_SECONDS"],
    "services.gateway.edge.callers": ["VERIFY_SECONDS"],
    "services.gateway.edge.limits": ["STORE_SECONDS"],
    "services.gateway.edge.openapi": ["DEADLINE_SECONDS"],
    "services.gateway.edge.proxy": ["DEADLINE_SECONDS", "FOLD_SECONDS"],
    "services.gateway.views.accruing": ["ACCRUING_SECONDS"],
    "services.gateway.views.overview_service": ["STORE_SECONDS", "READ_SECONDS"],
    "services.gateway.views.own_writes": ["WRITE_SECONDS"],
    "services.gateway.web.api": ["READ_SECONDS"],
    "services.gateway.web.renewal": ["RENEW_SECONDS"],
    "services.gateway.web.visit": ["_KNOW_SECONDS"],
    "services.notices.queries.closure_effects": ["ACTIVITIES_SECONDS"],
    "services.notices.routes.wordings": ["TRIAL_SECONDS"],
    "services.notices.store.bank": ["SEARCH_SECONDS"],
    "services.notices.store.enquiries": ["SEARCH_SECONDS"],
    "shared.auth": ["FETCH_SECONDS"],
    "shared.http.dependencies": ["STORE_SECONDS"],
    "shared.http.health": ["STORE_SECONDS"],
    "shared.http.recording": ["RECORD_SECONDS"],
    "shared.owners": ["ANSWER_SECONDS", "CONNECT_SECONDS"],
}
"""Module → its deadlines, those imported from another module too."""

LAST_RESORTS = {"services.gateway.edge.proxy": ["ANSWER_SECONDS"]}
"""The same for deadlines behind others, which come first in production."""


def raise_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set each deadline of the modules imported so far to TIMES its value, for one test."""
    _raise(monkeypatch, DEADLINES)


def raise_last_resorts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for LAST_RESORTS, so that the deadline before them ends a request."""
    _raise(monkeypatch, LAST_RESORTS)


def _raise(monkeypatch: pytest.MonkeyPatch, deadlines: dict[str, list[str]]) -> None:
    for module, names in deadlines.items():
        if module in sys.modules:
            for name in names:
                usual = getattr(sys.modules[module], name)
                monkeypatch.setattr(sys.modules[module], name, usual * TIMES)
