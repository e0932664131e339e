"""Routes of devices: browsers of a patron that show notifications (web push)."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from services.notices.channels import refusals
from services.notices.channels.clients.push import Vapid, are_keys, vapid_of
from services.notices.channels.clients.receivers import may_send_to
from services.notices.channels.commands import add_device, remove_device
from services.notices.channels.store import devices as devices_store
from services.notices.fields import Id, Line
from services.notices.patrons.refusals import NoSuchPatron
from services.notices.settings import Settings, settings_of
from shared.auth import Patron
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1/me", tags=["devices"])


async def _vapid(request: Request) -> Vapid | None:
    settings: Settings = request.app.state.settings
    return vapid_of(settings)


class DeviceBody(Body):
    """A subscription of the browser's `PushManager`."""

    endpoint: str = Field(min_length=1, max_length=500)
    p256dh: str = Field(min_length=1, max_length=100, description="Key `p256dh` of its `keys`.")
    auth: str = Field(min_length=1, max_length=50, description="Key `auth` of its `keys`.")
    name: Line = Field(description="Name by which the patron recognizes the device.")


class DeviceOut(BaseModel):
    """A device that shows the patron's notifications."""

    id: str
    name: str
    created_at: dt.datetime


class DeviceList(BaseModel):
    """The devices of a patron."""

    items: list[DeviceOut]
    key: str | None = Field(
        description="The library's public key, for `applicationServerKey`; null: the library sends "
        "nothing to devices."
    )


@router.get("/push-subscriptions")
async def get_devices(
    caller: Patron, db: Db, vapid: Annotated[Vapid | None, Depends(_vapid)]
) -> DeviceList:
    """List the devices that show the patron's notifications, with the key to add one."""
    found = await devices_store.find_of_patron(db, caller.id)
    return DeviceList(
        items=[from_attributes(DeviceOut, one) for one in found],
        key=vapid.public if vapid else None,
    )


@router.post("/push-subscriptions", status_code=201)
@refuses(refusals.PushOff, refusals.BadSubscription, refusals.TooManyDevices, NoSuchPatron)
async def post_device(body: DeviceBody, caller: Patron, run: Run) -> DeviceOut:
    """Show the patron's notifications on a device, too. Repeating it renews the keys."""
    if vapid_of(settings_of(run)) is None:
        raise refusals.PushOff
    allowed = may_send_to(body.endpoint, loopback=run.settings.simulation)
    if not allowed or not are_keys(body.p256dh, body.auth):
        raise refusals.BadSubscription
    return from_attributes(
        DeviceOut,
        await run(
            add_device,
            patron_id=caller.id,
            endpoint=body.endpoint,
            public_key=body.p256dh,
            auth=body.auth,
            name=body.name,
        ),
    )


@router.delete("/push-subscriptions/{subscription_id}", status_code=204)
@refuses(refusals.NoSuchDevice)
async def delete_device(subscription_id: Id, caller: Patron, run: Run) -> None:
    """Stop showing notifications on a device."""
    await run(remove_device, caller.id, subscription_id)
