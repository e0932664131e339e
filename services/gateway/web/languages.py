"""The page's three languages: its words, and how each writes days, hours and money.

Words are looked up in `translations/*.po`, which are read when the process starts.
"""

import gettext
import io
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

TRANSLATIONS = Path(__file__).parent / "translations"


def marked(text: str) -> str:
    """A text of the page that stands in code: found by `make translations`, translated later."""
    return text


@dataclass(frozen=True)
class Language:
    """A language of the page."""

    code: str
    """As in `lang`, in My Setting and in the API."""
    name: str
    """In itself."""
    locale: Locale
    words: gettext.NullTranslations = field(repr=False)

    def say(self, text: str) -> str:
        """A text of the page, translated."""
        return self.words.gettext(text) if text else ""

    def day(self, value: date | str, *, weekday: bool = False) -> str:
        """A day, as "5 March 2021"; a string is ISO 8601."""
        given = date.fromisoformat(value) if isinstance(value, str) else value
        pattern = _DAYS[self.code][1 if weekday else 0]
        return dates.format_date(given, pattern, locale=self.locale)

    def weekday(self, number: int) -> str:
        """The name of a day of the week; 0 is Monday."""
        return str(self.locale.days["format"]["wide"][number])

    def short_day(self, value: str) -> str:
        """A day of ISO 8601 in little room, as "5/3"."""
        given = date.fromisoformat(value)
        return f"{given.day}/{given.month}" if self.code == "en" else f"{given.month}/{given.day}"

    def moment(self, value: datetime | str, zone: ZoneInfo) -> str:
        """An instant in the library's time zone."""
        given = datetime.fromisoformat(value) if isinstance(value, str) else value
        here = given.astimezone(zone)
        clock = dates.format_time(here, "short", tzinfo=zone, locale=self.locale)
        return f"{self.day(here.date())} {clock}"

    def money(self, cents: int) -> str:
        """Cents of Hong Kong dollars."""
        amount = numbers.format_decimal(cents / 100, "#,##0.00", locale=self.locale)
        return f"HK${amount}"


_DAYS = {
    "en": ("d MMMM y", "EEEE, d MMMM y"),
    "zh-Hant": ("y年M月d日", "y年M月d日EEEE"),
    "zh-Hans": ("y年M月d日", "y年M月d日EEEE"),
}


def _words(code: str) -> gettext.NullTranslations:
    """The translations of a language, from its .po file."""
    compiled = io.BytesIO()
    with (TRANSLATIONS / f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code.replace("-", "_")))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


LANGUAGES = {
    "en": Language("en", "English", Locale("en", "HK"), gettext.NullTranslations()),
    "zh-Hant": Language(
        "zh-Hant", "繁體中文", Locale("zh", "HK", script="Hant"), _words("zh-Hant")
    ),
    "zh-Hans": Language(
        "zh-Hans", "简体中文", Locale("zh", "HK", script="Hans"), _words("zh-Hans")
    ),
}

# What browsers send. Chinese without a script is Simplified, but in Hong Kong, Macao and Taiwan.
_TAGS = {
    "en": "en",
    "zh-hant": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-tw": "zh-Hant",
    "yue": "zh-Hant",
    "zh": "zh-Hans",
}


def language_of(asked: str, kept: str, accepted: str) -> Language:
    """The language to answer in: asked for now, kept by this browser, or one its settings name."""
    for code in (asked, kept):
        if code in LANGUAGES:
            return LANGUAGES[code]
    for item in accepted.lower().split(","):
        tag = item.partition(";")[0].strip()
        while tag:
            if tag in _TAGS:
                return LANGUAGES[_TAGS[tag]]
            tag = tag.rpartition("-")[0]
    return LANGUAGES["en"]
