"""Money is an integer of cents."""


def dollars(cents: int) -> str:
    """Format an amount of cents as people write it: `$13.50`, `-$1.50`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{rest:02d}"
