"""The languages of notifications: their texts, and the formats of days, times and lists.

Texts are English in the code, and translated in `translations/*.po`.
"""

import gettext
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from shared.translations import read_translations

TRANSLATIONS = Path(__file__).parent / "translations"


@dataclass(frozen=True)
class Language:
    """A language of notifications."""

    day: Callable[[date], str]
    """Format a day, as "5 March 2021"."""
    moment: Callable[[datetime], str]
    """Format a local time, as "5 March 2021 at 7:00 pm"."""
    quotes: str
    comma: str
    last_comma: str
    """Separates the last two items of a list."""
    space: str
    """Separates sentences."""
    translations: gettext.NullTranslations = field(repr=False)

    def say(self, text: str) -> str:
        """Return the translation of a text."""
        return self.translations.gettext(text)

    def quoted(self, title: str | None, otherwise: str) -> str:
        """Return a title in quotation marks or, if it is not known, the translation of a text."""
        return self.quotes.format(title) if title else self.say(otherwise)

    def listed(self, names: Iterable[str]) -> str:
        """Return names as people write a list: "A, B and C"."""
        *others, last = list(names) or [""]
        return self.last_comma.join([*filter(None, [self.comma.join(others)]), last])


def _english(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _english_moment(at: datetime) -> str:
    half = "am" if at.hour < 12 else "pm"
    return f"{_english(at)} at {at.hour % 12 or 12}:{at.minute:02} {half}"


def _chinese(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _traditional_moment(at: datetime) -> str:
    return _chinese_moment(at, "時")


def _simplified_moment(at: datetime) -> str:
    return _chinese_moment(at, "时")


def _chinese_moment(at: datetime, hour: str) -> str:
    minutes = f"{at.minute}分" if at.minute else ""
    return f"{_chinese(at)}{_part_of_day(at.hour)}{at.hour % 12 or 12}{hour}{minutes}"


def _part_of_day(hour: int) -> str:
    if hour == 12:
        return "中午"
    return "凌晨" if hour < 6 else "上午" if hour < 12 else "下午"


LANGUAGES: Mapping[str, Language] = {
    "en": Language(
        day=_english,
        moment=_english_moment,
        quotes="“{}”",
        comma=", ",
        last_comma=" and ",
        space=" ",
        translations=gettext.NullTranslations(),
    ),
    "zh-Hant": Language(
        day=_chinese,
        moment=_traditional_moment,
        quotes="《{}》",
        comma="、",
        last_comma="及",
        space="",
        translations=read_translations(TRANSLATIONS, "zh-Hant"),
    ),
    "zh-Hans": Language(
        day=_chinese,
        moment=_simplified_moment,
        quotes="《{}》",
        comma="、",
        last_comma="及",
        space="",
        translations=read_translations(TRANSLATIONS, "zh-Hans"),
    ),
}


def language_of(code: str) -> Language:
    """Return a language by its code; English if the code is not known."""
    return LANGUAGES.get(code, LANGUAGES["en"])
