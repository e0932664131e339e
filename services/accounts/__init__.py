"""accounts: who patrons and staff are, and how they prove it.

Owns patrons, their personal details and PINs, the accounts of staff, stations and operators,
tokens and the keys that sign them, and preferences (My Setting).

Publishes patron.registered, patron.updated, patron.blocked, patron.unblocked, patron.erased and
preferences.changed.

Hears fine.assessed, fine.adjusted, fine.paid and fine.waived: who owes too much is blocked.

Everything personal is in one document of one collection, `cardholders`: erasing a patron is its
deletion, and an event without a name in it.
"""
