"""The page's three languages: its texts, and the formats of days, hours and money.

Texts are looked up in `translations/*.po`, which are read when the process starts.
"""

import gettext
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.core import get_global
from markupsafe import Markup

from shared.translations import language_code, read_translations

TRANSLATIONS = Path(__file__).parent / "translations"
MOST_RUNS = 200
"""Number of runs that are marked in a text; a page may have 200 texts of thousands of runs."""


@dataclass(frozen=True)
class Language:
    """A language of the page."""

    code: str
    """Code of the language, as in `lang`, in My Setting and in the API."""
    name: str
    """Name of the language in the language itself."""
    brief: str
    """The beginning of that name where there is room for no more."""
    locale: Locale
    words: gettext.NullTranslations = field(repr=False)

    def say(self, text: str) -> str:
        """Return the translation of a text of the page."""
        return self.words.gettext(text) if text else ""

    def written(self, text: str) -> Markup:
        """Return a text from users as HTML, with runs in another script marked by language.

        So on an English page a screen reader reads 紅樓夢 in Chinese, and on a Chinese page English
        words in English. After the first MOST_RUNS nothing is marked.
        """
        runs, code_of = (_CHINESE, _chinese) if self.code == "en" else (_ENGLISH, lambda _: "en")
        marked_run = Markup('<span lang="{}">{}</span>')
        return Markup("").join(
            marked_run.format(code_of(piece), piece) if place % 2 else piece
            for place, piece in enumerate(runs.split(text, MOST_RUNS))
        )

    def language_name(self, code: str) -> str:
        """Return the name of a language by its code of ISO 639-2/B; the code if it has none."""
        alias = get_global("language_aliases").get(code, code)
        return str(self.locale.languages.get(alias, code))

    def day(self, value: date | str, *, weekday: bool = False) -> str:
        """Format a day, as "5 March 2021"; a string is ISO 8601."""
        given = date.fromisoformat(value) if isinstance(value, str) else value
        pattern = _DAYS[self.code][1 if weekday else 0]
        return dates.format_date(given, pattern, locale=self.locale)

    def weekday(self, number: int) -> str:
        """Return the name of a weekday by ISO 8601: 1 is Monday, 7 is Sunday."""
        return str(self.locale.days["format"]["wide"][number - 1])

    def short_day(self, value: str) -> str:
        """Format an ISO 8601 day in short form, as "5 Mar"."""
        pattern = "d MMM" if self.code == "en" else "M月d日"
        return dates.format_date(date.fromisoformat(value), pattern, locale=self.locale)

    def moment(self, value: datetime | str, zone: ZoneInfo) -> str:
        """Format an instant in the library's time zone."""
        given = datetime.fromisoformat(value) if isinstance(value, str) else value
        here = given.astimezone(zone)
        clock = dates.format_time(here, "short", tzinfo=zone, locale=self.locale)
        return f"{self.day(here.date())} {clock}"

    def money(self, cents: int) -> str:
        """Format cents of Hong Kong dollars, as `$6.00` or `-$6.00`."""
        amount = numbers.format_decimal(abs(cents) / 100, "#,##0.00", locale=self.locale)
        return f"-${amount}" if cents < 0 else f"${amount}"


_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_LATIN = "A-Za-z\u00c0-\u024f"
# Words of three letters at least: PIN codes and numerals belong to no language.
_CHINESE = re.compile(f"([{_HAN}][\\s{_HAN}]*)")
# A code such as K2420737EAB is no word and is not cut.
_ENGLISH = re.compile(
    f"(?<![{_LATIN}0-9])((?:[{_LATIN}]{{1,2}} ){{0,3}}[{_LATIN}]{{3}}[{_LATIN}0-9'’ ,.:;&()/-]*)"
)

_DAYS = {
    "en": ("d MMMM y", "EEEE, d MMMM y"),
    "zh-Hant": ("y年M月d日", "y年M月d日EEEE"),
    "zh-Hans": ("y年M月d日", "y年M月d日EEEE"),
}


def _chinese(text: str) -> str:
    """Return the language code of Chinese text: Simplified if Big5-HKSCS cannot encode it."""
    try:
        text.encode("big5hkscs")
    except UnicodeEncodeError:
        return "zh-Hans"
    return "zh-Hant"


LANGUAGES = {
    "en": Language("en", "English", "EN", Locale("en", "HK"), gettext.NullTranslations()),
    "zh-Hant": Language(
        "zh-Hant",
        "繁體中文",
        "繁",
        Locale("zh", "HK", script="Hant"),
        read_translations(TRANSLATIONS, "zh-Hant"),
    ),
    "zh-Hans": Language(
        "zh-Hans",
        "简体中文",
        "简",
        Locale("zh", "HK", script="Hans"),
        read_translations(TRANSLATIONS, "zh-Hans"),
    ),
}


def language_of(asked: str, kept: str, accepted: str) -> Language:
    """Return the language to answer in: requested now, kept by the browser, or in its settings."""
    return LANGUAGES[language_code(asked, kept, accepted=accepted)]


def worded(thing: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return something with its texts in a language, as far as its `wordings` have them."""
    texts: Mapping[str, str | None] = thing.get("wordings", {}).get(language, {})
    return {**thing, **{name: text for name, text in texts.items() if text}}
