"""Barcodes that are numbered on from others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.circulation.refusals import FirstBarcodeNeeded, NoBarcodesLeft

_NUMBERED = re.compile(r"(.*?)([0-9]{1,15})")


@dataclass(frozen=True)
class Series:
    """Barcodes of one prefix, with numbers of one length."""

    prefix: str
    digits: int
    first: int
    """Least number to give."""

    @property
    def bounds(self) -> tuple[str, str]:
        """The least and the greatest barcode."""
        return f"{self.prefix}{'0' * self.digits}", f"{self.prefix}{'9' * self.digits}"

    def after(self, greatest: str | None, count: int) -> Iterator[str]:
        """Yield the barcodes after the greatest one that is taken. Raises NoBarcodesLeft."""
        taken = int(greatest[len(self.prefix) :]) if greatest else -1
        first = max(self.first, taken + 1)
        if first + count > 10**self.digits:
            raise NoBarcodesLeft(prefix=self.prefix)
        yield from (f"{self.prefix}{first + n:0{self.digits}}" for n in range(count))


def series_of(barcode: str | None) -> Series:
    """Return the series that begins with a barcode. Raises FirstBarcodeNeeded if it has none."""
    found = _NUMBERED.fullmatch(barcode or "")
    if found is None:
        raise FirstBarcodeNeeded
    return Series(found[1], len(found[2]), int(found[2]))
