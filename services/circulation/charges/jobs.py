"""Scheduled job of payments."""

from datetime import timedelta

from services.circulation.charges import store
from services.circulation.charges.clients.configured import provider_of
from services.circulation.charges.commands.payments import give_refund, resume_payment
from shared.clock import library_day
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


MOST_AT_ONCE = 1000
"""Maximum number of payments or refunds that the job reads at once."""

PATIENCE = timedelta(seconds=5)
"""Age from which the job resumes a payment or refund; before that, the call that began it does."""


EVERY = timedelta(seconds=10)
PAGE_EVERY = timedelta(minutes=1)
"""Time between two questions about a payment that is made on a page of the provider."""


@jobs.every(seconds=10)
async def payments(run: Run) -> int:
    """Finish the payments and refunds that a crash or a silent provider left under way."""
    day = library_day(run.now, run.settings.zone)
    begun_by = run.now - PATIENCE
    done = 0
    for payment in await store.find_payments_under_way(run.database, begun_by, MOST_AT_ONCE):
        if payment.page_url and (run.now - payment.begun_at) % PAGE_EVERY > EVERY:
            continue  # somebody is paying there, and the provider will say so
        provider = provider_of(run.settings, run.database)
        done += await resume_payment(run, provider, payment, day)
    for refund in await store.find_refunds_under_way(run.database, begun_by, MOST_AT_ONCE):
        provider = provider_of(run.settings, run.database)
        done += (await give_refund(run, provider, refund, day)).settled
    return done
