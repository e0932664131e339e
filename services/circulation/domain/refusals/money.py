"""Refusals about charges, payments and refunds."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchCharge(Refusal):
    """No charge that the caller may see has this id."""

    code = "no-such-charge"
    status = 404
    says = "There is no such charge."


class MoreThanOutstanding(Refusal):
    """A waiver of more than is outstanding."""

    code = "more-than-outstanding"
    says = "Only {outstanding} of this charge is outstanding. You can't waive more."


class AmountChanged(Refusal):
    """More cash than is to be paid, or another amount than was shown."""

    code = "amount-changed"
    says = "The amount is {amount} now. Nothing was recorded."


class NoRefundDue(Refusal):
    """A refund for which nothing, or not enough, is due back."""

    code = "no-refund-due"
    says = "No refund is due on this charge."


class NoSuchPayment(Refusal):
    """No payment that the caller may see has this id."""

    code = "no-such-payment"
    status = 404
    says = "There is no such payment."


class NothingToPay(Refusal):
    """A payment for a charge that is settled."""

    code = "nothing-to-pay"
    says = "Nothing was paid: one of these charges is already settled."


class PaymentUnderWay(Refusal):
    """A change of a charge while a payment or refund of it is under way."""

    code = "payment-under-way"
    says = (
        "A payment or refund of this charge is being processed. Please try again in a few minutes."
    )


class PaymentDeclined(Refusal):
    """The provider did not take the money."""

    code = "payment-declined"
    says = "Your payment was declined. Nothing was taken."


class PaymentNotReceived(Refusal):
    """The provider got no request for the payment, so it has neither taken nor refused money."""

    code = "payment-not-received"
    says = (
        "Your payment did not reach the payment service. Nothing was taken. Please try again in a "
        "few minutes."
    )


class PaymentOver(Refusal):
    """A step of a payment that was released or settled meanwhile."""

    code = "payment-over"
    says = "This payment has ended. Please begin a new one."


class NoPaymentProvider(Refusal):
    """No payment provider is set up."""

    code = "no-payment-provider"
    says = "You can't pay here. Please pay at a library."
