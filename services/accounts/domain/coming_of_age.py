"""The birthday on which a junior patron becomes an adult one."""

from datetime import date

JUNIOR = "junior"
ADULT = "adult"


def is_of_age(born_on: date, on: date, age: int) -> bool:
    """Return whether a person has this age on a day. One born on 29 February has it on 1 March."""
    birthday_is_to_come = (on.month, on.day) < (born_on.month, born_on.day)
    return on.year - born_on.year - birthday_is_to_come >= age


def latest_birth(on: date, age: int) -> date:
    """Return the last date of birth of those who have this age on a day."""
    leap_day = (on.month, on.day) == (2, 29)
    return date(on.year - age, on.month, 28 if leap_day else on.day)
