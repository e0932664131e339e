"""Applications for seasons, and check-ins to sessions."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from services.events.fields import BranchCode, SeasonId, today_of
from services.events.patrons.queries import ask_for_patron
from services.events.refusals import NoSuchPatron
from services.events.seasons import queries, refusals
from services.events.seasons.commands.applications import apply_for_season, withdraw_application
from services.events.seasons.commands.seats import check_in
from services.events.seasons.queries import Admission
from services.events.seasons.rules.season import Application, State
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.audit_trail import shows_patrons
from shared.auth import Desk, Patron, Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["study rooms"])

Code = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[0-9A-Fa-f]{16}$")
]


class CheckInBody(Body):
    """The code of an admission card, as scanned or typed."""

    code: Code = Field(repr=False)


class CheckInOut(BaseModel):
    """A place that its patron has taken."""

    application_id: str
    branch: str
    starts_at: datetime
    ends_at: datetime
    promoted: bool = Field(description="True if the patron was on the standby list.")


@router.post("/study-seasons/{season_id}/check-ins", status_code=201)
@refuses(
    refusals.NoSuchSeason,
    refusals.NoSuchAdmission,
    refusals.NoSessionNow,
    refusals.NoPlaceInSession,
    refusals.CheckedInAlready,
    refusals.PlaceLapsed,
)
async def post_check_in(
    season_id: SeasonId, body: CheckInBody, request: Request, caller: Desk, run: Run
) -> CheckInOut:
    """Let a patron in to the present session, or up to 15 minutes before it begins."""
    seated = await run(check_in, season_id, body.code, request.app.state.settings.zone)
    return CheckInOut(
        application_id=seated.seat.application_id,
        branch=seated.sitting.branch,
        starts_at=seated.sitting.starts_at,
        ends_at=seated.sitting.ends_at,
        promoted=seated.seat.promoted,
    )


PaperNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/-]{1,40}$")]


class ApplicationBody(Body):
    """A patron's application for a study room."""

    branch: BranchCode


class PostedApplicationBody(Body):
    """An application by post, as staff key it in."""

    card_number: str = Field(min_length=1, max_length=64, repr=False)
    branch: BranchCode
    paper_number: PaperNumber = Field(description="Number on the paper.")
    received_on: date = Field(description="Day of receipt, which decides if it is in time.")


class AdmissionOut(BaseModel):
    """A patron's application for a study room, or the admission card."""

    id: str
    season_id: str
    branch: str
    state: State = Field(
        description="`applied`: the places are not drawn yet. `granted`: the patron has an "
        "admission card. `standby`: in line for a place that becomes free. `withdrawn`."
    )
    standby_number: int | None = Field(
        description="Place in the order of the standby list as drawn; null: not on standby."
    )
    applied_at: datetime
    version: int


class OwnAdmissionOut(AdmissionOut):
    """An application with data of its season."""

    season: str = Field(description="Name of the season.")
    valid_from: date
    valid_until: date
    code: str = Field(description="Secret code of the admission card, for the door.", repr=False)
    place_until: datetime | None = Field(
        description="Time until which a place in the present session is held for a patron on the "
        "standby list; null: none is."
    )

    @classmethod
    def placed(cls, admission: Admission) -> "OwnAdmissionOut":
        """Build the response from an application and its season."""
        return cls(
            **from_attributes(AdmissionOut, admission.application).model_dump(),
            season=admission.season.name,
            valid_from=admission.season.valid_from,
            valid_until=admission.season.valid_until,
            code=admission.application.code,
            place_until=admission.place_until,
        )


class OwnAdmissions(BaseModel):
    """A patron's applications for seasons that are not over."""

    items: list[OwnAdmissionOut]


class FiledOut(AdmissionOut):
    """An application as staff see it."""

    patron_id: str
    category: str
    paper_number: str | None = Field(description="Null: applied online.")
    received_on: date | None
    no_shows: int = Field(description="Number of sessions in which the place was not taken.")

    @classmethod
    def filed(cls, application: Application, no_shows: int = 0) -> "FiledOut":
        """Build the response from an application."""
        return cls(
            **from_attributes(AdmissionOut, application).model_dump(),
            patron_id=application.patron_id,
            category=application.category,
            paper_number=application.paper_number,
            received_on=application.received_on,
            no_shows=no_shows,
        )


class FiledPage(BaseModel):
    """A page of applications, in the order of recording."""

    items: list[FiledOut]
    next: str | None


@router.post("/study-seasons/{season_id}/application", status_code=201)
@refuses(
    refusals.NoSuchSeason,
    refusals.NoSuchRoom,
    NoSuchPatron,
    refusals.ApplicationsNotOpen,
    refusals.ApplicationsClosed,
    refusals.AppliedAlready,
)
async def post_application(
    season_id: SeasonId, body: ApplicationBody, request: Request, caller: Patron, run: Run
) -> AdmissionOut:
    """Apply for the study room of a library. A patron applies once for each season."""
    patron = await ask_for_patron(run, caller.id)
    return from_attributes(
        AdmissionOut,
        await run(
            apply_for_season,
            season_id=season_id,
            patron_id=caller.id,
            category=patron["category"],
            branch=body.branch,
            today=today_of(request, run.now),
        ),
    )


@router.delete("/study-seasons/{season_id}/application")
@refuses(refusals.NoSuchSeason, refusals.NotApplied, refusals.SeasonOver)
async def delete_application(
    season_id: SeasonId, request: Request, caller: Patron, run: Run
) -> AdmissionOut:
    """Withdraw. After the draw, the place goes to the first on the standby list."""
    return from_attributes(
        AdmissionOut,
        await run(withdraw_application, season_id, caller.id, today_of(request, run.now)),
    )


@router.get("/study-seasons/{season_id}/application")
@refuses(refusals.NoSuchSeason, refusals.NotApplied)
async def get_application(
    season_id: SeasonId, caller: Patron, db: Db, now: BusinessTime
) -> OwnAdmissionOut:
    """Get the patron's own application, with the code of the admission card."""
    return OwnAdmissionOut.placed(await queries.admission(db, season_id, caller.id, now))


@router.post("/study-seasons/{season_id}/applications", status_code=201)
@refuses(
    refusals.NoSuchSeason,
    refusals.NoSuchRoom,
    refusals.NoSuchCard,
    NoSuchPatron,
    refusals.ApplicationsNotOpen,
    refusals.ApplicationsClosed,
    refusals.ReceivedInFuture,
    refusals.AppliedAlready,
    refusals.PaperNumberTaken,
)
async def post_posted_application(
    season_id: SeasonId, body: PostedApplicationBody, request: Request, caller: Staff, run: Run
) -> FiledOut:
    """Key in an application by post, until the list is closed."""
    params = {"card": body.card_number}
    answer = await run.owners.get("accounts", "/v1/patrons", now=run.now, params=params)
    if not answer or not answer["items"]:
        raise refusals.NoSuchCard
    [patron] = answer["items"]
    return FiledOut.filed(
        await run(
            apply_for_season,
            season_id=season_id,
            patron_id=patron["id"],
            category=patron["category"],
            branch=body.branch,
            today=today_of(request, run.now),
            paper_number=body.paper_number,
            received_on=body.received_on,
        )
    )


@router.get("/study-seasons/{season_id}/applications")
@refuses(refusals.NoSuchSeason)
@shows_patrons
async def get_applications(
    season_id: SeasonId, caller: Staff, db: Db, page: PageQuery
) -> FiledPage:
    """List the applications for a season that have not been withdrawn."""
    await queries.season(db, season_id)
    found = await seasons_store.list_applications(db, season_id, page.after or "", page.limit + 1)
    missed = await seats_store.count_no_shows(db, [one.id for one in found])
    items = [FiledOut.filed(one, missed.get(one.id, 0)) for one in found]
    return FiledPage(**page_of(items, page, lambda item: str(item.id)))


@router.get("/me/admissions")
async def get_my_admissions(
    request: Request, caller: Patron, db: Db, now: BusinessTime
) -> OwnAdmissions:
    """List the patron's applications for seasons that are not over."""
    found = await queries.admissions_to_come(db, caller.id, now, today_of(request, now))
    return OwnAdmissions(items=[OwnAdmissionOut.placed(one) for one in found])
