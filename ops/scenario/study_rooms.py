"""Steps about activities and study rooms: registration, applications, the draw, the door."""

from datetime import datetime
from typing import Any

from ops.scenario.definition import Check, Step
from ops.scenario.run import Run, new_notifications
from services.events.seasons.rules.ballot import Entry, Room, commitment, draw, list_hash


async def announce_season(run: Run, step: Step) -> list[Check]:
    """Announce a season with the room of a library."""
    days = ("applications_from", "applications_until", "draw_on", "valid_from", "valid_until")
    body = {
        "name": step["season"],
        "rooms": [{"branch": step["branch"], "places": step["places"]}],
        "sessions": step["sessions"],
        **{day: step[day] for day in days},
    }
    announced = await run.api.post("/v1/study-seasons", body, by="staff")
    run.seasons[step["season"]] = announced["id"]
    return [Check("the seed is still secret", None, announced["drawn_at"])]


async def key_in_applications(run: Run, step: Step) -> list[Check]:
    """Key in applications by post, and check that their patrons see them."""
    path = f"/v1/study-seasons/{run.seasons[step['season']]}/applications"
    for number, card in enumerate(step["cards"], 1):
        body = {
            "card_number": card,
            "branch": step["branch"],
            "paper_number": f"A-{number}",
            "received_on": step["received_on"],
        }
        await run.api.post(path, body, by="staff")
    await run.flow.settle()
    states = [await _state(run, card) for card in step["cards"]]
    return [Check("in each account", ["applied"] * len(states), states)]


async def draw_season(run: Run, step: Step) -> list[Check]:
    """Close the list and draw the places; recompute the draw and check who is notified of what.

    The draw has another result in each run, so the checks say whether it is right, not what it is.
    """
    path = f"/v1/study-seasons/{run.seasons[step['season']]}"
    await run.api.post(f"{path}/closing", by="staff")
    await run.api.post(f"{path}/draw", by="staff")
    await run.flow.settle()
    ballot = await run.api.get(f"{path}/ballot")
    entries = [Entry(one["id"], one["category"], one["branch"]) for one in ballot["entries"]]
    rooms = [Room(one["branch"], one["places"], one["quotas"]) for one in ballot["rooms"]]
    [(granted, standby)] = [
        (list(one.granted), list(one.standby))
        for one in draw(entries, rooms, ballot["seed"]).values()
    ]
    [result] = ballot["results"]
    told = {one.card: one.kind for one in await new_notifications(run)}
    states = {card: await _state(run, card) for card in step["cards"]}
    return [
        Check("the seed fits", True, commitment(ballot["seed"]) == ballot["commitment"]),
        Check("the list fits", True, list_hash(entries) == ballot["list_hash"]),
        Check("the result", True, (granted, standby) == (result["granted"], result["standby"])),
        Check("cards", step["cards_drawn"], len(granted)),
        Check(
            "each is notified of their result",
            True,
            told == {card: f"admission.{one}" for card, one in states.items()},
        ),
    ]


async def open_study_room(run: Run, step: Step) -> list[Check]:
    """Begin a session: all with a card but one come in, and the place goes to the first on standby.

    `passes_on_at` is the time at which the place is passed on.
    """
    season = run.seasons[step["season"]]
    states = {card: await _state(run, card) for card in step["cards"]}
    missing, *coming = [card for card, state in states.items() if state == "granted"]
    for card in coming:
        await _enter(run, season, card)
    run.api.now = step["passes_on_at"]
    await run.api.post("/v1/ops/jobs/events/standby", by="ops")
    await run.flow.settle()
    told = [(one.card, one.kind) for one in await new_notifications(run)]
    [first] = [
        card
        for card, state in states.items()
        if state == "standby" and (await _own(run, season, card))["standby_number"] == 1
    ]
    path = f"/v1/study-seasons/{season}/check-ins"
    body = {"code": (await _own(run, season, missing))["code"]}
    _, late = await run.api.call("POST", path, body, by="station", expect=409)
    await _enter(run, season, first)
    return [
        Check("the first on standby is notified", True, told == [(first, "admission.promoted")]),
        Check("too late", "place-lapsed", late["code"]),
    ]


async def book_session(run: Run, step: Step) -> list[Check]:
    """Let sessions of a room be booked; the first card gets the only place, and comes in."""
    path = f"/v1/study-rooms/{step['branch']}"
    rules = {"places": 1, "sessions": [step["session"]], "days_ahead": 7, "most_bookings": 2}
    await run.api.call("PUT", path, rules, by="staff")
    first, second = step["cards"]
    session = {"day": step["day"], "session": 1}
    booked = await run.api.post(f"{path}/bookings", session, by=first)
    _, refused = await run.api.call("POST", f"{path}/bookings", session, by=second, expect=409)
    await run.flow.settle()
    shown = (await run.api.get("/v1/me", by=first))["bookings"]
    run.api.now = step["comes_at"]
    entered = await run.api.post(f"{path}/check-ins", {"code": booked["code"]}, by="station")
    await run.flow.settle()
    left = (await run.api.get("/v1/me", by=first))["bookings"]
    return [
        Check("in the account", [booked["id"]], [one["id"] for one in shown]),
        Check("the last place is taken", "session-full", refused["code"]),
        Check("comes in", "checked-in", entered["state"]),
        Check("no longer in the account", [], left),
    ]


async def close_study_room(run: Run, step: Step) -> list[Check]:
    """Close the library on the day of a booked session, and withdraw the closure again.

    The booking ends and comes back, and its patron comes in.
    """
    path = f"/v1/study-rooms/{step['branch']}"
    rules = {"places": 1, "sessions": [step["session"]], "days_ahead": 7, "most_bookings": 2}
    await run.api.call("PUT", path, rules, by="staff")
    session = {"day": step["day"], "session": 1}
    booked = await run.api.post(f"{path}/bookings", session, by=step["card"])
    await run.flow.settle()
    closure = {
        "branches": [step["branch"]],
        "from": step["day"],
        "reopened_on": step["reopened_on"],
        "reason": step["reason"],
    }
    effect = await run.api.post("/v1/closures?preview=true", closure, by="staff")
    recorded = await run.api.post("/v1/closures", closure, by="staff")
    await run.flow.settle()
    during = (await run.api.get("/v1/me", by=step["card"]))["bookings"]
    ended = [(one.card, one.kind) for one in await new_notifications(run)]
    _, refused = await run.api.call(
        "POST", f"{path}/bookings", session, by=step["card"], expect=409
    )
    withdrawal = {"in_error": True, "reason": step["withdrawn_because"]}
    await run.api.post(f"/v1/closures/{recorded['id']}/withdrawal", withdrawal, by="staff")
    await run.flow.settle()
    after = (await run.api.get("/v1/me", by=step["card"]))["bookings"]
    back = [(one.card, one.kind) for one in await new_notifications(run)]
    run.api.now = step["comes_at"]
    entered = await run.api.post(f"{path}/check-ins", {"code": booked["code"]}, by="station")
    await run.flow.settle()
    return [
        Check("sessions in the preview", 1, effect["study_rooms"]["total"]),
        Check("notifications in the preview", 1, effect["notifications"]),
        Check("notified of its end", [(step["card"], "booking.ended-by-closure")], ended),
        Check("no longer in the account", [], during),
        Check("not to be booked", "library-closed", refused["code"]),
        Check("notified of its return", [(step["card"], "booking.restored")], back),
        Check("in the account again", [booked["id"]], [one["id"] for one in after]),
        Check("comes in", "checked-in", entered["state"]),
    ]


async def _enter(run: Run, season: str, card: str) -> None:
    body = {"code": (await _own(run, season, card))["code"]}
    await run.api.post(f"/v1/study-seasons/{season}/check-ins", body, by="station")


async def _own(run: Run, season: str, card: str) -> Step:
    own: Step = await run.api.get(f"/v1/study-seasons/{season}/application", by=card)
    return own


async def _state(run: Run, card: str) -> str:
    account = await run.api.get("/v1/me", by=card)
    [admission] = account["admissions"]
    return str(admission["state"])


async def publish_activity(run: Run, step: Step) -> list[Check]:
    """Publish an activity, with its recording if it has one."""
    [activity] = [a for a in run.scenario["activities"] if a["key"] == step["activity"]]
    fields = {name: value for name, value in activity.items() if name != "key"}
    if recording := fields.pop("recording", None):
        fields["recording"] = {
            "url": recording["address"],
            "available_from": recording["available_from"],
        }
    answer = await run.api.post("/v1/activities", fields, by="staff")
    run.activities[step["activity"]] = answer["id"]
    await run.flow.settle()
    return []


async def register_for_activity(run: Run, step: Step) -> list[Check]:
    """Register patrons for an activity that has a place for each of them."""
    path = f"/v1/activities/{run.activities[step['activity']]}/registration"
    states = [(await run.api.post(path, by=card))["state"] for card in step["cards"]]
    await run.flow.settle()
    return [Check("have places", ["confirmed"] * len(step["cards"]), states)]


async def record_attendance(run: Run, step: Step) -> list[Check]:
    """Record that the holders of these cards came to an activity."""
    path = f"/v1/activities/{run.activities[step['activity']]}/attendance"
    for card in step["cards"]:
        [patron] = (await run.api.get(f"/v1/patrons?card={card}", by="staff"))["items"]
        await run.api.post(path, {"patron_id": patron["id"]}, by="staff")
    await run.flow.settle()
    found = await run.api.get(path, by="staff")
    return [Check("attended", len(step["cards"]), found["attended"])]


async def ask_recording(run: Run, step: Step) -> list[Check]:
    """Ask for a recording as a patron, and check the answer."""
    activity = run.activities[step["activity"]]
    status, answer = await run.api.call(
        "GET", f"/v1/activities/{activity}/recording", by=step["card"], expect=0
    )
    found: dict[str, Any] = {"status": status}
    if status == 200:
        found["address"] = answer["url"]
    else:
        found["code"] = answer["code"]
        found["available_from"] = answer.get("available_from")
    expected = dict(step["expect"])
    for side in (expected, found):
        if side.get("available_from"):
            side["available_from"] = datetime.fromisoformat(side["available_from"]).timestamp()
    return [Check("recording", expected, found)]
