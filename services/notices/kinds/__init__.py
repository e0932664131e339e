"""Notification kinds: facts, recipients and texts of each, in one class.

A module in this package is found by itself; no list names it. All texts keep one rule: while fines
are suspended, no sentence about a fine names an amount, and none in any language asks for money.
The account shows what accrued before; the notification does not. Amounts paid, waived, lowered or
refunded are always named, because they ask for nothing.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
