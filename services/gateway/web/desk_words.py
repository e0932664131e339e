"""Texts of the desk's pages, also about refusals there."""

from services.gateway.web import staff_words
from shared.translations import marked

KINDS = {
    "central": marked("Central Library"),
    "major": marked("Major libraries"),
    "district": marked("District libraries"),
    "small": marked("Small libraries"),
    "mobile": marked("Mobile libraries"),
    "station": marked("Self-service stations"),
}
"""Names of the kinds of libraries that a closure or suspension can cover."""

CATEGORIES = {
    "adult": marked("Adult"),
    "junior": marked("Junior"),
    "child": marked("Child"),
    "young-adult": marked("Young adult"),
    "senior": marked("Senior"),
    "institution": marked("Institution"),
}
"""Names of patron categories. A library's policies may name others, shown by their codes."""

POSTER = (
    marked("Check in here"),
    marked("Scan this code with your phone when you enter, and check out when you leave."),
)
"""The texts of the poster at the doors of a library."""

QUEUES = {
    "new": marked("New"),
    "mine": marked("Mine"),
    "assigned": marked("A librarian is working on it"),
    "waiting": marked("Waiting for the reader"),
    "answered": marked("Answered"),
    "closed": marked("Question closed"),
    "open": marked("All that are not closed"),
    "all": marked("All questions"),
}
"""Queues of readers' questions; all but `mine`, `open` and `all` are states of a question."""

DELIVERY_STATES = {
    "waiting": marked("Waiting to be sent"),
    "held": marked("Held back"),
    "sent": marked("Sent"),
    "dropped": marked("Not sent"),
    "bounced": marked("Refused"),
    "failed": marked("Given up"),
}
"""States of a message to a reader."""

DELIVERY_CHANNELS = {"inbox": marked("Inbox"), "email": marked("E-mail")}
"""Channels of messages to readers."""

UNSENT = {
    "withdrawn": marked("the message was withdrawn"),
    "outdated": marked("it was no longer true"),
    "no-address": marked("the reader has turned off e-mail, or no address is on file"),
    "refused": marked("the mail server does not accept the address"),
    "bad-address": marked("the address can't be used"),
    "too-late": marked("it could not be sent for a day"),
}
"""Reasons why a message was not sent."""

WEBHOOK_STATES = {
    "enabled": marked("On"),
    "disabled": marked("Turned off"),
    "failing": marked("Turned off: nothing could be sent for three days"),
    "gone": marked("Turned off: the app says that this address is gone"),
}
"""States of a webhook."""

WEBHOOK_FAILURES = {
    "away": marked("there was no answer"),
    "refused": marked("the app answered with an error"),
    "no-key": marked("its secret can't be read any more; replace it"),
    "not-allowed": marked("the address is not on the public internet"),
}
"""Reasons why a message to a webhook was not sent."""

ABOUT = {
    "loan": marked("Loan"),
    "hold": marked("Reservation"),
    "fine": marked("Charge"),
    "fines": marked("Suspensions of fines"),
    "activity": marked("Activity"),
    "registration": marked("Activity"),
    "recording": marked("Recording"),
    "branch": marked("Library"),
    "enquiry": marked("Question"),
    "admission": marked("Study room"),
    "digest": marked("One e-mail a day with everything"),
    "pin": marked("PIN"),
    "patron": marked("Library card"),
}
"""Subjects of messages, by the first part of their kind."""

MESSAGE_KINDS = {
    "activity.rescheduled": marked("Activity has changed"),
    "admission.granted": marked("Admission card for a study room"),
    "admission.promoted": marked("Place in a session of a study room"),
    "admission.standby": marked("Number on the standby list"),
    "booking.ended-by-closure": marked("Booking that a closure has ended"),
    "booking.restored": marked("Booking that counts again"),
    "branch.reopened": marked("Library reopens"),
    "enquiry.answered": marked("Question answered"),
    "enquiry.closed": marked("Question answered with another"),
    "fine.adjusted": marked("Charge lowered or refunded"),
    "fine.assessed": marked("New charge"),
    "fine.paid": marked("Payment received"),
    "fine.waived": marked("Charge waived"),
    "fines.resumed": marked("Fines restart"),
    "fines.suspended": marked("Fines suspended"),
    "hold.cancelled": marked("Reservation cancelled by the library"),
    "hold.changed": marked("Reserved item kept longer"),
    "hold.expired": marked("Reservation expired"),
    "hold.ready": marked("Reserved item ready"),
    "loan.due-date-changed": marked("Due date changed"),
    "loan.due-soon": marked("Item due soon"),
    "loan.lost": marked("Item lost"),
    "loan.overdue": marked("Item overdue"),
    "patron.came-of-age": marked("Adult from the birthday on"),
    "patron.invited": marked("Invitation to link cards"),
    "patron.linked": marked("Cards linked"),
    "patron.unlinked": marked("Link of cards ended"),
    "alert.address-to-confirm": marked("New e-mail address to confirm"),
    "alert.card-replaced": marked("Card replaced"),
    "alert.contact-changed": marked("E-mail address or telephone number changed"),
    "alert.new-device": marked("Log-in on a new device"),
    "alert.pin-changed": marked("PIN changed"),
    "pin.reset": marked("New PIN chosen"),
    "pin.reset-requested": marked("Code to choose a new PIN"),
    "recording.released": marked("Recording available"),
    "registration.cancelled": marked("Activity cancelled"),
    "registration.confirmed": marked("Place in an activity"),
}
"""Names of the kinds of messages to readers."""

MESSAGES = {
    **staff_words.MESSAGES,
    "wording-saved": marked("The wording is saved. Messages and e-mails have it from now on."),
    "trial-sent": marked("The trial is sent."),
    "copy-missing": marked(
        "%(barcode)s is recorded as lost. Its reservation gets the next copy, or waits again."
    ),
    "ready-delay-set": marked("The time until readers are told is saved."),
    "account-changed": marked("The account is changed."),
    "nothing-changed": marked("Nothing was changed."),
    "patron-pin-changed": marked("The PIN is changed. The reader is logged out everywhere."),
    "card-replaced": marked(
        "The new card is recorded. The former one can't be used any more, and the reader is logged "
        "out everywhere."
    ),
    "account-blocked": marked("The account is blocked. The reader is logged out everywhere."),
    "account-unblocked": marked("The account is no longer blocked by the staff."),
    "loss-recorded": marked("The item is recorded as lost. Its charges are below."),
    "claim-recorded": marked(
        "Recorded: the reader says that it is back. Please look for it on the shelves."
    ),
    "claim-rejected": marked("Recorded: it was not found. Its fine counts again."),
    "charge-waived": marked("%(waived_cents)s is waived."),
    "cash-recorded": marked("A payment of %(paid_cents)s in cash is recorded."),
    "bad-amount": marked("Enter an amount in dollars, such as 6.00."),
    "refund-given": marked("%(refunded_cents)s is given back."),
    "refund-pending": marked(
        "The refund of %(refunded_cents)s is being processed. It will show here within minutes."
    ),
    "patron-erased": marked("The account is erased."),
    "junior-linked": marked("The two cards are linked."),
    "closure-recorded": marked("The closure is recorded. Due dates are updated within minutes."),
    "closure-changed": marked("The closure is changed. Due dates are updated within minutes."),
    "suspension-recorded": marked("The suspension of fines is recorded."),
    "suspension-changed": marked("The suspension of fines is changed."),
    "activity-published": marked("The activity is published."),
    "activity-changed": marked("The activity is changed."),
    "activities-decided": marked(
        "Activities that are changed: %(count)s. Registered readers are told."
    ),
    "notice-published": marked("The notice is published."),
    "notice-drafted": marked("A notice is drafted. Check it before you publish it."),
    "notice-amended": marked("The notice is amended."),
    "notice-withdrawn": marked("The notice is withdrawn."),
    "draft-saved": marked("The draft is saved. Only staff see it."),
    "draft-deleted": marked("The draft is deleted."),
    "question-published": marked("The question is published."),
    "question-withdrawn": marked("The question is withdrawn."),
    "enquiry-answered": marked("Your answer is sent."),
    "enquiry-asked-back": marked("Your question to the reader is sent."),
    "enquiry-noted": marked("Your note is saved."),
    "enquiry-taken": marked("You answer this question."),
    "enquiry-passed-on": marked("The question is passed on."),
    "enquiry-merged": marked("Both questions are answered here. The reader is told."),
    "visitors-counted": marked("Counted."),
    "visitor-registered": marked("The visitor is registered and counted."),
    "venue-renewed": marked("The library has a new code. Put it at the doors."),
    "season-announced": marked("The season is announced."),
    "application-keyed-in": marked("The application is recorded."),
    "reader-admitted": marked("The reader may come in."),
    "list-closed": marked("The list is closed and published."),
    "webhook-tested": marked("A test message is sent. Load this page again to see if it arrived."),
    "webhook-on": marked("The webhook is turned on."),
    "webhook-off": marked("The webhook is turned off."),
    "webhook-deleted": marked("The webhook is deleted."),
    "room-saved": marked("The rules of the study room are saved."),
    "names-saved": marked("The names are saved."),
    "hours-saved": marked("The hours are saved."),
    "hours-removed": marked("The hours are removed."),
    "places-drawn": marked("The places are drawn. Every applicant is told the result."),
}
"""Messages after a command at the desk."""

PROBLEMS = {
    **staff_words.PROBLEMS,
    "bad-placeholder": marked(
        "A text has a placeholder that does not exist here, or a brace without a partner. Use the "
        "placeholders listed below."
    ),
    "no-mail-server": marked("E-mail is turned off: no mail server is set."),
    "no-such-kind": marked("There is no such kind of message."),
    "no-such-version": marked("This wording has no such version."),
    "trial-not-sent": marked("The mail server did not take the e-mail. Check the address."),
    "wording-changed": marked(
        "Someone has changed this wording since you opened it. Read the versions below, then save "
        "yours again."
    ),
    "patron-blocked": marked(
        "The reader can't borrow until their charges are paid or the staff unblock their account."
    ),
    "no-such-card": marked("No library card has this number."),
    "no-such-guardian": marked("No library card has the number of the parent or guardian."),
    "guardian-not-asked": marked("Please ask the parent or guardian first."),
    "not-junior": marked(
        "Only a junior card is linked here. Others accept an invitation in My Account."
    ),
    "no-such-copy": marked("No item of the library has this barcode."),
    "copy-on-loan": marked(
        "This item is on loan. It has to be returned before it can be borrowed again."
    ),
    "copy-state": marked("The state of this item has changed in the meantime."),
    "not-on-loan": marked("This item is not on loan."),
    "copy-lost": marked("This item is recorded as lost."),
    "copy-kept": marked("This item is kept for another reader."),
    "copy-damaged": marked("This item is recorded as damaged."),
    "copy-withdrawn": marked("This item is no longer lent."),
    "lost-by-patron": marked("A reader reported this item as lost. Return it first."),
    "loan-limit": marked("The reader has reached the loan limit."),
    "in-the-future": marked("This day is in the future. Enter today or an earlier day."),
    "returned-before-borrowed": marked("The item was borrowed after that day."),
    "enquiry-changed": marked(
        "Someone has changed this question since you opened it. Read what is new above, then send "
        "yours again."
    ),
    "no-such-draft": marked("There is no such draft. It may be published already."),
    "notice-changed": marked(
        "Someone has changed this notice since you opened it. Open it again to see what is new."
    ),
    "too-many-amendments": marked(
        "This notice was amended too often. Withdraw it and publish another."
    ),
    "draft-changed": marked(
        "Someone has changed this draft since you opened it. Open it again to see what is new."
    ),
    "not-mergeable": marked("Only two different questions of the same reader can be merged."),
    "question-changed": marked(
        "Someone has changed this question since you opened it. Compare it with yours, then save "
        "it again."
    ),
    "webhooks-off": marked("Webhooks are turned off on this system."),
    "no-such-webhook": marked("There is no such webhook."),
    "bad-webhook-url": marked(
        "The address begins with https:// and names a host on the public internet."
    ),
    "no-such-topic": marked("There are no such messages."),
    "too-many-webhooks": marked("There are too many webhooks. Delete one first."),
    "webhook-disabled": marked("The webhook is turned off. Turn it on first."),
    "bad-season": marked(
        "The days, sessions or places contradict each other. The draw is after the last day to "
        "apply and before the first day of the cards."
    ),
    "seasons-overlap": marked("This study room has another season on some of these days."),
    "bad-room": marked("Sessions are in order and don't overlap."),
    "no-such-admission": marked("No admission card of this season has this code."),
    "no-session-now": marked("There is no session now."),
    "no-place-in-session": marked("There is no place for this card in this session yet."),
    "checked-in-already": marked("This card was used for this session already."),
    "place-lapsed": marked("The place was not taken in time. It went to the standby list."),
    "no-such-room": marked("This library has no study room in this season."),
    "applied-already": marked("There is an application for this season already."),
    "paper-number-taken": marked("An application with this number is recorded already."),
    "received-in-future": marked("This day is in the future. Enter today or an earlier day."),
    "applications-still-open": marked(
        "The last day to apply is not over, or the list is not closed."
    ),
    "too-early-to-draw": marked("The announced day of the draw has not come yet."),
    "drawn-already": marked("The places are drawn already."),
    "not-settled": marked(
        "The account can't be erased yet. Take back the items, settle the charges and give back "
        "refunds first."
    ),
    "already-blocked": marked("The staff have blocked this account already."),
    "not-blocked": marked(
        "The staff have not blocked this account. A reader who owes too much can borrow again "
        "after paying."
    ),
    "no-claim": marked("Nobody says any more that this item is back."),
    "price-needed": marked("The price of this item is not recorded. Enter it."),
    "bad-price": marked("Enter an amount in dollars, such as 120.00."),
    "bad-amount": marked("Enter an amount in dollars, such as 6.00."),
    "more-than-outstanding": marked("This is more than is left to pay of this charge."),
    "amount-changed": marked(
        "The amount has changed meanwhile, so nothing was recorded. Check it, then try again."
    ),
    "refunded-already": marked("No refund is due on this charge any more."),
    "no-provider-for-refund": marked(
        "No payment provider is set up here, so it can't give the refund. Please ask the "
        "operators of the system."
    ),
    "card-taken": marked("This card number belongs to another account."),
    "no-such-branch": marked("There is no such library."),
    "no-such-closure": marked("There is no such closure."),
    "bad-hours": marked("The closing time must be after the opening time."),
    "no-such-service": marked("Set the usual hours of this service first."),
    "bad-period": marked("A period ends after it starts, and has no day in common with another."),
    "no-such-period": marked("This period was removed already."),
    "too-many-periods": marked("This service has too many periods. Remove past ones first."),
    "no-branch-covered": marked("No library matches your selection."),
    "closed-already": marked("This closure is recorded already."),
    "closure-withdrawn": marked("This closure was withdrawn. Record a new one."),
    "closure-over": marked(
        "This closure has ended. You can withdraw it only as recorded in error."
    ),
    "reopened-already": marked("Some of these libraries have reopened. Record a new closure."),
    "reopened-before-closed": marked("The reopening day must be after the first closed day."),
    "not-in-closure": marked("This closure does not cover all of these libraries."),
    "nothing-to-reopen": marked("All these libraries have reopened already."),
    "nothing-to-withdraw": marked("This closure has ended or was withdrawn already."),
    "resumes-before-start": marked("Fines must restart after the first day without fines."),
    "suspension-withdrawn": marked("This suspension was withdrawn. Record a new one."),
    "too-many-doors": marked(
        "This library has too many doors already. Use the name of one of them."
    ),
    "suspension-over": marked(
        "This suspension has ended. You can withdraw it only as recorded in error."
    ),
}
"""Texts of problems by code."""

OF_REFUND = {"no-payment-provider": "no-provider-for-refund", "no-refund-due": "refunded-already"}
OF_LOAN = {"price-unknown": "price-needed", "loan-lost": "copy-lost"}
"""Codes of the desk's texts by the API's codes, whose texts are for readers."""

AT_FAULT = {
    **staff_words.AT_FAULT,
    "trial-not-sent": "address",
    "no-such-card": "card_number",
    "not-junior": "card_number",
    "no-such-guardian": "guardian_card_number",
    "guardian-not-asked": "agreed",
    "card-taken": "card_number",
    "bad-amount": "amount",
    "bad-price": "price",
    "price-needed": "price",
    "more-than-outstanding": "amount",
    "in-the-future": "at",
    "no-branch-covered": "kinds",
    "not-in-closure": "kinds",
    "nothing-to-reopen": "kinds",
    "bad-hours": "opens",
    "bad-period": "until",
    "no-such-service": "service",
    "paper-number-taken": "paper_number",
    "no-such-admission": "code",
    "no-such-booking": "code",
    "bad-room": "sessions",
    "received-in-future": "received_on",
    "reopened-before-closed": "reopened_on",
    "resumes-before-start": "resumes_on",
    "ends-before-it-starts": "ends_at",
    "ages-reversed": "minimum_age",
    "fewer-places": "places",
    "bad-webhook-url": "url",
}
"""Field that a refusal is about, by the refusal's code."""

FIELDS = {
    **staff_words.FIELDS,
    "card_number": marked("Library card number"),
    "guardian_card_number": marked("Card number of the parent or guardian"),
    "agreed": marked("The parent or guardian is here and agrees"),
    "door": marked("Door"),
    "entered": marked("People"),
    "left": marked("People"),
    "barcodes": marked("Barcodes"),
    "at": marked("Returned on"),
    "name": marked("Name"),
    "pin": marked("PIN"),
    "amount": marked("Amount in dollars"),
    "price": marked("Price in dollars"),
    "category": marked("Kind of card"),
    "born_on": marked("Date of birth"),
    "email": marked("E-mail"),
    "phone": marked("Telephone"),
    "home_branch": marked("Home library"),
    "kinds": marked("Which libraries"),
    "branches": marked("Which libraries"),
    "from": marked("First closed day"),
    "service": marked("Service"),
    "reopened_on": marked("Reopening day"),
    "extra_renewals": marked("Extra renewals"),
    "services": marked("Open services"),
    "measures": marked("Please note"),
    "capacity": marked("Visitors at a time"),
    "opens": marked("Special hours"),
    "closes": marked("Special hours"),
    "stagger_days": marked("Days to spread due dates over"),
    "starts_on": marked("First day without fines"),
    "resumes_on": marked("Fines restart on"),
    "reason": marked("Reason"),
    "text": marked("Text"),
    "topics": marked("Messages about"),
    "url": marked("Address of the app"),
    "rooms": marked("Study rooms"),
    "code": marked("Code of the admission card"),
    "days_ahead": marked("Days ahead that can be booked"),
    "most_bookings": marked("Bookings of a reader at a time"),
    "grace_minutes": marked("Minutes for which a place is held in a session"),
    "sessions": marked("Sessions of each day"),
    "applications_from": marked("First day to apply"),
    "applications_until": marked("Last day to apply"),
    "draw_on": marked("Day of the draw"),
    "valid_from": marked("First day of the admission cards"),
    "valid_until": marked("Last day of the admission cards"),
    "paper_number": marked("Number on the paper"),
    "received_on": marked("Day of receipt"),
    "title": marked("Heading"),
    "content": marked("Text"),
    "type": marked("Type"),
    "venue": marked("Venue"),
    "branch": marked("Library"),
    "starts_at": marked("Begins"),
    "ends_at": marked("Ends"),
    "speaker": marked("Speaker"),
    "organiser": marked("Organiser"),
    "language": marked("Held in"),
    "languages": marked("Held in"),
    "enquiries": marked("Telephone for enquiries"),
    "places": marked("Places"),
    "abstract": marked("Abstract"),
    "remarks": marked("Remarks"),
    "audience": marked("Meant for"),
    "minimum_age": marked("Lowest age"),
    "maximum_age": marked("Highest age"),
}
"""Names of the desk's fields in a list of invalid ones."""
