"""Refusals about charges and payments."""

from services.circulation.refusals import refusal

NoSuchCharge = refusal(404, "no-such-charge", "There is no such charge.")
"""No charge that the caller may see has this id."""
TillClosed = refusal(
    409, "till-closed", "The till of this payment is closed. A supervisor can cancel it."
)
NoSuchPayment = refusal(404, "no-such-payment", "There is no such payment.")
"""No payment that the caller may see has this id."""
PaymentUnderWay = refusal(
    409,
    "payment-under-way",
    "A payment or refund of this charge is being processed. Please try again in a few minutes.",
)
"""A change of a charge while a payment or refund of it is under way."""
PaymentDeclined = refusal(409, "payment-declined", "Your payment was declined. Nothing was taken.")
PaymentNotReceived = refusal(
    409,
    "payment-not-received",
    "Your payment did not reach the payment service. Nothing was taken. Please try again in a few "
    "minutes.",
)
"""The provider got no request for the payment, so it has neither taken nor refused money."""
NoPaymentProvider = refusal(
    409, "no-payment-provider", "You can't pay here. Please pay at a library."
)
