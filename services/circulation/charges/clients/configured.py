"""The payment provider that the settings name."""

import shared
from services.circulation.charges.clients import Provider
from services.circulation.charges.clients.double import Double
from services.circulation.charges.clients.mollie import Mollie
from services.circulation.charges.clients.stripe import Stripe
from services.circulation.charges.refusals import NoPaymentProvider
from services.circulation.settings import Settings
from shared.mongo import Database


def provider_of(settings: shared.settings.Settings, database: Database) -> Provider:
    """Return the provider that circulation's settings name. Raises NoPaymentProvider."""
    if isinstance(settings, Settings):
        if settings.payment_provider == "double":
            return Double(database)
        if settings.payment_provider == "stripe":
            return Stripe(settings)
        if settings.payment_provider == "mollie":
            return Mollie(settings)
    raise NoPaymentProvider
