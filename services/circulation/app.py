"""Assembly of the circulation service."""

from fastapi import FastAPI

from services.circulation import examples, snapshots
from services.circulation.borrowers import consumers as borrowers_consumers
from services.circulation.borrowers import routes as borrowers_routes
from services.circulation.borrowers import store as borrowers_store
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import jobs as catalogue_jobs
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.routes import copies as catalogued_copies_routes
from services.circulation.catalogue.routes import titles as titles_routes
from services.circulation.charges import jobs as charges_jobs
from services.circulation.charges import store as charges_store
from services.circulation.charges.routes import charges as charges_routes
from services.circulation.charges.routes import payment_pages as payment_pages_routes
from services.circulation.charges.routes import payments as payments_routes
from services.circulation.charges.routes import tills as tills_routes
from services.circulation.closures import consumers as closures_consumers
from services.circulation.closures import jobs as closures_jobs
from services.circulation.closures import routes as closures_routes
from services.circulation.closures import store as closures_store
from services.circulation.conflicts import routes as conflicts_routes
from services.circulation.conflicts import store as conflicts_store
from services.circulation.copies import routes as copies_routes
from services.circulation.desk_lists import routes as desk_lists_routes
from services.circulation.experience import store as experience_store
from services.circulation.harvest import jobs as harvest_jobs
from services.circulation.harvest.routes import oai as oai_routes
from services.circulation.holds import consumers as holds_consumers
from services.circulation.holds import jobs as holds_jobs
from services.circulation.holds import store as holds_store
from services.circulation.holds.routes import holds as holds_routes
from services.circulation.imports import routes as imports_routes
from services.circulation.imports import store as imports_store
from services.circulation.lists import routes as lists_routes
from services.circulation.lists import store as lists_store
from services.circulation.loans import jobs as loans_jobs
from services.circulation.loans.routes import check_outs as check_outs_routes
from services.circulation.loans.routes import copies as loaned_copies_routes
from services.circulation.loans.routes import loans as loans_routes
from services.circulation.loans.routes import renewals as renewals_routes
from services.circulation.loans.routes import self_checkouts as borrowing_routes
from services.circulation.loans.routes import undo as undo_routes
from services.circulation.loans.store import loans as loans_store
from services.circulation.policies import routes as policies_routes
from services.circulation.policies import store as policies_store
from services.circulation.search import queries as search_queries
from services.circulation.search import routes as search_routes
from services.circulation.self_checkout import routes as self_checkout_routes
from services.circulation.self_checkout import store as self_checkout_store
from services.circulation.settings import Settings
from services.circulation.suspensions import jobs as suspensions_jobs
from services.circulation.suspensions import routes as suspensions_routes
from services.circulation.till import store as till_store
from services.uploads import largest_body
from shared.bus.subscriptions import Subscriptions
from shared.declared_indexes import Indexes
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.jobs import Jobs

INDEXES: Indexes = {
    **catalogue_store.INDEXES,
    **policies_store.INDEXES,
    **borrowers_store.INDEXES,
    **calendars_store.INDEXES,
    **loans_store.INDEXES,
    **charges_store.INDEXES,
    **till_store.INDEXES,
    **conflicts_store.INDEXES,
    **holds_store.INDEXES,
    **closures_store.INDEXES,
    **experience_store.INDEXES,
    **imports_store.INDEXES,
    **lists_store.INDEXES,
    **self_checkout_store.INDEXES,
}
SUBSCRIPTIONS = Subscriptions(
    holds_consumers.subscriptions,
    borrowers_consumers.subscriptions,
    closures_consumers.subscriptions,
)
JOBS = Jobs(
    loans_jobs.jobs,
    holds_jobs.jobs,
    charges_jobs.jobs,
    suspensions_jobs.jobs,
    closures_jobs.jobs,
    catalogue_jobs.jobs,
    harvest_jobs.jobs,
)


def create_app(settings: Settings) -> FastAPI:
    """Create the service's ASGI app."""
    return create_service_app(
        Service(
            name="circulation",
            title="Circulation",
            # Each request is compared with one after the other, so the most used come first.
            routers=(
                check_outs_routes.router,
                undo_routes.router,
                loans_routes.router,
                renewals_routes.router,
                borrowing_routes.router,
                holds_routes.router,
                search_routes.router,
                titles_routes.router,
                catalogued_copies_routes.router,
                copies_routes.router,
                loaned_copies_routes.router,
                conflicts_routes.router,
                desk_lists_routes.router,
                borrowers_routes.router,
                charges_routes.router,
                payments_routes.router,
                payment_pages_routes.router,
                tills_routes.router,
                suspensions_routes.router,
                closures_routes.router,
                policies_routes.router,
                lists_routes.router,
                self_checkout_routes.router,
                oai_routes.router,
                imports_routes.router,
            ),
            indexes=INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=(
                *borrowers_store.PERSONAL,
                *loans_store.PERSONAL,
                *holds_store.PERSONAL,
                *charges_store.PERSONAL,
                *conflicts_store.PERSONAL,
                *lists_store.PERSONAL,
                *self_checkout_store.PERSONAL,
            ),
            subscriptions=SUBSCRIPTIONS,
            state=search_queries.prepare,
            background=(search_queries.keep_fresh,),
            examples=examples.EXAMPLES,
            jobs=JOBS,
            largest_body=largest_body(settings),
        ),
        settings,
    )
