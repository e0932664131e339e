"""accounts: identities of patrons and staff, and their authentication.

Owns patrons, their personal details and PINs, the accounts of staff, stations and operators,
sessions, tokens and the keys that sign them, clients of OpenID Connect and their grants,
preferences (My Setting), and the links of the cards of families.

Publishes patron.registered, patron.updated, patron.blocked, patron.unblocked, patron.erased,
patron.came-of-age, patron.card-expiring, patron.card-renewed, patron.applied, patron.invited,
patron.linked, patron.unlinked, preferences.changed, pin.reset-requested, pin.reset and
session.ended.

Subscribes to fine.assessed, fine.adjusted, fine.paid and fine.waived: a patron who owes too much is
blocked. It also subscribes to its own session.ended, and tells clients of OpenID Connect.

All personal data of a patron is in one document of one collection, `cardholders`. Erasing a patron
deletes that document and publishes an event without a name in it.
"""
