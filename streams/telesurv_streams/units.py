"""Units: how files spell them, their UCUM codes, and conversions into a channel's unit."""

_SPELLINGS = {
    "mV": ("mv", "millivolt", "millivolts"),
    "uV": ("uv", "µv", "μv", "microvolt", "microvolts"),
    "nV": ("nv",),
    "V": ("v", "volt", "volts"),
    "/min": (
        *("/min", "1/min", "bpm", "rpm", "min-1", "min^-1", "beats/min", "breaths/min"),
        *("beats per minute", "brpm", "cpm", "/minute"),
    ),
    "mm[Hg]": ("mmhg", "mm[hg]", "mm hg", "mm_hg"),
    "kPa": ("kpa",),
    "%": ("%", "percent", "pct", "%spo2"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
    "s": ("s", "sec", "second", "seconds"),
    "Cel": ("cel", "°c", "degc", "deg c", "celsius", "c"),
    "[degF]": ("[degf]", "°f", "degf", "deg f", "fahrenheit", "f"),
    "kg": ("kg",),
    "[lb_av]": ("lb", "lbs", "[lb_av]"),
    "L/min": ("l/min", "lpm"),
    "[g]": ("g", "[g]"),
    "{count}/min": ("{count}/min", "counts/min", "count/min", "steps/min"),
    "1": ("1", "nu", "au", "a.u.", "[arb'u]", "adu", "n/a", "none", "unitless"),
}
_UCUM = {spelling: code for code, spellings in _SPELLINGS.items() for spelling in spellings}

# (from, to): (factor, shift), value_to = value_from * factor + shift
_CONVERSIONS = {
    ("uV", "mV"): (1e-3, 0.0),
    ("nV", "mV"): (1e-6, 0.0),
    ("V", "mV"): (1e3, 0.0),
    ("kPa", "mm[Hg]"): (7.500617, 0.0),
    ("s", "ms"): (1e3, 0.0),
    ("[degF]", "Cel"): (5 / 9, -160 / 9),
    ("[lb_av]", "kg"): (0.45359237, 0.0),
}


def ucum(unit: str) -> str | None:
    """Return the UCUM code of a unit as a file spells it; "" where empty, None: not known."""
    spelling = unit.strip().lower()
    return _UCUM.get(spelling) if spelling else ""


def conversion(unit: str | None, wanted: str) -> tuple[float, float] | None:
    """Return (factor, shift) from one UCUM unit to another; None: they do not convert.

    No unit at all, "1", and whatever is wanted as "1" (arbitrary units) pass unchanged.
    """
    if unit in ("", "1", wanted) or wanted == "1":
        return 1.0, 0.0
    return None if unit is None else _CONVERSIONS.get((unit, wanted))
