"""Refusals about the titles of the catalogue."""

from services.circulation.domain.refusals.refusal import Refusal


class NoSuchTitle(Refusal):
    """The catalogue has no title of this id."""

    code = "no-such-title"
    status = 404
    says = "There is no such title."


class BarcodeTaken(Refusal):
    """Another copy has the barcode."""

    code = "barcode-taken"
    says = "Another item has the barcode {barcode} already."


class TooManyCopies(Refusal):
    """More copies than a title may have."""

    code = "too-many-copies"
    says = "A title may have {most} copies. Catalogue another one for the rest."
