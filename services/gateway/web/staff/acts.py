"""Acts of the audit trail as sentences, by method and route; see `RecordActs`."""

from collections.abc import Mapping

from shared.translations import marked

SENTENCES: Mapping[str, str] = {
    "POST /v1/sessions": marked("%(who)s logged in."),
    "POST /v1/checkouts": marked("%(who)s lent items to %(whom)s."),
    "POST /v1/returns": marked("%(who)s took back items of %(whom)s."),
    "POST /v1/loans/{loan_id}/renewals": marked("%(who)s renewed a loan of %(whom)s."),
    "POST /v1/loans/{loan_id}/loss": marked("%(who)s recorded an item of %(whom)s as lost."),
    "POST /v1/loans/{loan_id}/claim": marked(
        "%(who)s noted that %(whom)s says an item was returned."
    ),
    "DELETE /v1/loans/{loan_id}/claim": marked(
        "%(who)s rejected the claim of %(whom)s that an item was returned."
    ),
    "POST /v1/holds": marked("%(who)s reserved a title for %(whom)s."),
    "PATCH /v1/holds/{hold_id}": marked("%(who)s changed a reservation of %(whom)s."),
    "DELETE /v1/holds/{hold_id}": marked("%(who)s cancelled a reservation of %(whom)s."),
    "POST /v1/charges/{charge_id}/waiver": marked("%(who)s waived a charge of %(whom)s."),
    "POST /v1/charges/{charge_id}/refund": marked("%(who)s refunded a charge to %(whom)s."),
    "POST /v1/patrons/{patron_id}/payments": marked("%(who)s took a payment from %(whom)s."),
    "POST /v1/patrons": marked("%(who)s registered %(whom)s."),
    "PATCH /v1/patrons/{patron_id}": marked("%(who)s changed the details of %(whom)s."),
    "DELETE /v1/patrons/{patron_id}": marked("%(who)s erased the account of %(whom)s."),
    "POST /v1/patrons/{patron_id}/block": marked("%(who)s blocked %(whom)s."),
    "POST /v1/patrons/{patron_id}/unblock": marked("%(who)s unblocked %(whom)s."),
    "POST /v1/patrons/{patron_id}/card/renewal": marked("%(who)s renewed the card of %(whom)s."),
    "POST /v1/patrons/{patron_id}/verification": marked(
        "%(who)s verified the identity of %(whom)s."
    ),
    "POST /v1/patrons/{patron_id}/family": marked("%(who)s linked the card of %(whom)s."),
    "GET /v1/patrons": marked("%(who)s opened the account of %(whom)s by the card."),
    "POST /v1/patron-searches": marked("%(who)s searched for readers."),
    "GET /v1/patrons/{patron_id}": marked("%(who)s looked at the account of %(whom)s."),
    "POST /v1/account-names": marked("%(who)s saw names in a list."),
    "GET /v1/loans": marked("%(who)s looked at the loans of %(whom)s."),
    "GET /v1/loans/{loan_id}": marked("%(who)s looked at a loan of %(whom)s."),
    "GET /v1/loans/{loan_id}/fine-statement": marked("%(who)s looked at a fine of %(whom)s."),
    "GET /v1/holds": marked("%(who)s looked at the reservations of %(whom)s."),
    "GET /v1/holds/{hold_id}": marked("%(who)s looked at a reservation of %(whom)s."),
    "GET /v1/titles/{title_id}/holds": marked("%(who)s looked at the queue for a title."),
    "GET /v1/holds/shelves/{branch}": marked("%(who)s looked at the shelf of reserved items."),
    "GET /v1/copies/{barcode}/whereabouts": marked("%(who)s looked up an item of %(whom)s."),
    "GET /v1/charges/{charge_id}": marked("%(who)s looked at a charge of %(whom)s."),
    "GET /v1/patrons/{patron_id}/charges": marked("%(who)s looked at the charges of %(whom)s."),
    "GET /v1/enquiries": marked("%(who)s looked at the list of questions."),
    "GET /v1/enquiries/{enquiry_id}": marked("%(who)s read a question of %(whom)s."),
    "POST /v1/enquiries/{enquiry_id}/answers": marked("%(who)s answered a question of %(whom)s."),
    "POST /v1/enquiries/{enquiry_id}/closure": marked("%(who)s closed a question of %(whom)s."),
    "GET /v1/deliveries": marked("%(who)s looked at the messages that were sent."),
    "GET /v1/offline-conflicts": marked("%(who)s looked at the conflicts of offline reports."),
    "POST /v1/offline-conflicts/{conflict_id}/resolution": marked(
        "%(who)s resolved a conflict of an offline report."
    ),
    "POST /v1/titles": marked("%(who)s added a title to the catalogue."),
    "PATCH /v1/titles/{title_id}": marked("%(who)s changed a title."),
    "POST /v1/titles/{title_id}/copies": marked("%(who)s added copies of a title."),
    "PATCH /v1/copies/{barcode}": marked("%(who)s changed a copy."),
    "POST /v1/copies/{barcode}/removal": marked("%(who)s took a copy out of lending."),
    "POST /v1/copies/{barcode}/recovery": marked("%(who)s put a copy back into lending."),
    "PUT /v1/policies/{policy_id}": marked("%(who)s changed a policy."),
    "DELETE /v1/policies/{policy_id}": marked("%(who)s deleted a policy."),
    "POST /v1/policies/{policy_id}/effect": marked("%(who)s previewed a change of a policy."),
    "POST /v1/fine-suspensions": marked("%(who)s suspended fines."),
    "PATCH /v1/fine-suspensions/{suspension_id}": marked("%(who)s changed a suspension of fines."),
    "POST /v1/fine-suspensions/{suspension_id}/withdrawal": marked(
        "%(who)s withdrew a suspension of fines."
    ),
    "POST /v1/closures": marked("%(who)s closed libraries."),
    "PATCH /v1/closures/{closure_id}": marked("%(who)s corrected a closure."),
    "POST /v1/closures/{closure_id}/reopening": marked("%(who)s announced a reopening."),
    "POST /v1/closures/{closure_id}/withdrawal": marked("%(who)s withdrew a closure."),
    "PATCH /v1/branches/{code}": marked("%(who)s changed the hours of a library."),
    "POST /v1/notices": marked("%(who)s published a notice."),
    "POST /v1/activities": marked("%(who)s added an activity."),
    "PATCH /v1/activities/{activity_id}": marked("%(who)s changed an activity."),
    "POST /v1/activities/{activity_id}/cancellation": marked("%(who)s cancelled an activity."),
    "GET /v1/activities/{activity_id}/registrations": marked(
        "%(who)s looked at who registered for an activity."
    ),
    "GET /v1/expiring-cards": marked("%(who)s looked at the cards that expire soon."),
    "GET /v1/patrons/{patron_id}/notes": marked("%(who)s read the notes on %(whom)s."),
    "POST /v1/patrons/{patron_id}/notes": marked("%(who)s wrote a note on %(whom)s."),
    "DELETE /v1/patrons/{patron_id}/notes/{note_id}": marked("%(who)s deleted a note on %(whom)s."),
    "POST /v1/patrons/{patron_id}/renewals": marked("%(who)s renewed the loans of %(whom)s."),
    "GET /v1/patrons/{patron_id}/payments": marked("%(who)s looked at the payments of %(whom)s."),
    "GET /v1/payments/{payment_id}": marked("%(who)s looked at a payment of %(whom)s."),
    "POST /v1/payments/{payment_id}/cancellation": marked(
        "%(who)s cancelled a payment of %(whom)s."
    ),
    "GET /v1/tills/{till_id}": marked("%(who)s looked at a till."),
    "POST /v1/tills": marked("%(who)s opened a till."),
    "POST /v1/tills/{till_id}/closing": marked("%(who)s closed a till."),
    "POST /v1/loans/{loan_id}/undo": marked("%(who)s undid a loan or a return of %(whom)s."),
    "POST /v1/checkouts/undo": marked("%(who)s undid a loan or a return of %(whom)s."),
    "POST /v1/returns/undo": marked("%(who)s undid a loan or a return of %(whom)s."),
    "POST /v1/copies/{barcode}/arrival": marked("%(who)s received a copy from another library."),
    "POST /v1/dispatches": marked("%(who)s sent copies to other libraries."),
    "GET /v1/desk-lists/{list_name}": marked("%(who)s looked at a list of the day."),
    "POST /v1/titles/{title_id}/numbered-copies": marked("%(who)s added copies of a title."),
    "POST /v1/activities/{activity_id}/attendance": marked(
        "%(who)s recorded that %(whom)s came to an activity."
    ),
    "POST /v1/study-rooms/{branch}/check-ins": marked("%(who)s let %(whom)s into a study room."),
    "POST /v1/study-seasons/{season_id}/check-ins": marked(
        "%(who)s let %(whom)s into a study room."
    ),
    "POST /v1/enquiries/{enquiry_id}/assignment": marked("%(who)s took on a question of %(whom)s."),
    "POST /v1/enquiries/{enquiry_id}/notes": marked(
        "%(who)s noted something on a question of %(whom)s."
    ),
    "POST /v1/branches/{code}/visits": marked("%(who)s let a visitor in."),
    "POST /v1/branches/{code}/counts": marked("%(who)s counted visitors."),
    "POST /v1/letter-runs/{run_id}/prints": marked("%(who)s printed letters."),
    "GET /v1/tracings": marked("%(who)s looked at the looks at visitors."),
    "POST /v1/staff-requests": marked(
        "%(who)s asked a second person to agree to a change of %(whom)s."
    ),
    "POST /v1/staff-requests/{request_id}/approval": marked(
        "%(who)s agreed to a change of an account of staff: %(whom)s."
    ),
    "POST /v1/branches": marked("%(who)s added a library."),
    "POST /v1/letter-runs": marked("%(who)s made letters to readers."),
    "POST /v1/tracings": marked("%(who)s traced visitors."),
    "POST /v1/staff": marked("%(who)s added an account of staff: %(whom)s."),
    "POST /v1/staff/{staff_id}/disable": marked("%(who)s disabled the account of %(whom)s."),
    "POST /v1/staff/{staff_id}/enable": marked("%(who)s enabled the account of %(whom)s."),
    "PUT /v1/staff/{staff_id}/role": marked("%(who)s gave %(whom)s another role."),
    "PUT /v1/staff/{staff_id}/pin": marked("%(who)s had %(whom)s choose another PIN."),
    "PUT /v1/me/pin": marked("%(who)s changed the own PIN."),
    "DELETE /v1/sessions/current": marked("%(who)s logged out."),
    "DELETE /v1/sessions": marked("%(who)s logged out on all devices."),
    **{
        f"GET /v1/ops/audit-trail/{service}": marked("%(who)s read the audit trail.")
        for service in ("accounts", "circulation", "events", "notices", "gateway")
    },
}
"""Sentence of each act; `who` acted, and `whom` are the people whom it is about."""
FAILED_LOG_IN = marked("%(who)s failed to log in.")
OTHER = marked("%(who)s did this: %(act)s")
"""Sentence of any other act, with its method and path or the words of the trail."""
PREVIEW = " (preview)"
"""End of an act that changed nothing."""


def sentence_of(act: str) -> str:
    """Return the sentence of an act, without a preview's end."""
    if act.startswith("POST /v1/sessions ("):
        return FAILED_LOG_IN
    return SENTENCES.get(act.removesuffix(PREVIEW), OTHER)
