"""Scheduled jobs of accounts. Each job may run twice, and on any replica."""

from typing import cast

from services.accounts import store
from services.accounts.domain.coming_of_age import JUNIOR, latest_birth
from services.accounts.domain.erasure import PATIENCE
from services.accounts.domain.refusals import NoSuchPatron, NotSettled
from services.accounts.settings import Settings
from services.accounts.usecases.come_of_age import ComeOfAge, come_of_age
from services.accounts.usecases.erase_patron import erase_settled
from services.accounts.usecases.invite_member import deliver_invitation
from services.accounts.usecases.reset_pin import send_code
from shared.clock import library_day, wall_clock
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=5)
async def erasures(run: Run) -> int:
    """Finish erasures whose request ended halfway; return the number of patrons erased.

    One that circulation refuses is dropped: staff can ask for it again.
    """
    done = 0
    begun = store.erasures.find_begun(run.database, wall_clock() - PATIENCE)
    async for patron_id in in_any_order(begun):
        try:
            await erase_settled(run, patron_id)
        except (NoSuchPatron, NotSettled):
            continue
        done += 1
    return done


@jobs.steadily(seconds=1)
async def pin_resets(run: Run) -> int:
    """Let a code be sent for each request whose card has a holder; return the number of these."""
    done = 0
    async for reset_id in in_any_order(store.pin_resets.find_requested(run.database)):
        done += await run(send_code, reset_id)
    return done


@jobs.steadily(seconds=1)
async def invitations(run: Run) -> int:
    """Show each new invitation to the holder of its card; return the number of those shown."""
    done = 0
    async for invitation_id in in_any_order(store.family.find_requested(run.database)):
        done += await run(deliver_invitation, invitation_id)
    return done


@jobs.every(minutes=60)
async def birthdays(run: Run) -> int:
    """Make juniors adults who have come of age by the library day of `now`; return how many."""
    age = cast(Settings, run.settings).adult_age
    day = library_day(run.now, run.settings.zone)
    done = 0
    born_by = latest_birth(day, age)
    async for patron_id in in_any_order(store.find_born_by(run.database, JUNIOR, born_by)):
        done += await run(come_of_age, ComeOfAge(patron_id, day, age))
    return done
