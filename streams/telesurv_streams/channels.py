"""The one registry of channels: names, kinds, units, and what other systems call them.

A channel is one signal of a patient. Its name is ours (`ecg.II`, `ppg`, `spo2`), its unit a
UCUM code; values on the wire are in that unit. Importers bring names and units as files spell
them (`MLII`, `PLETH`, `NBPs [mmHg]`) and find the channel here. What nobody knows is kept under
a sanitised name (`x.<name>`), never dropped and never guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from telesurv_streams.units import conversion, ucum

Kind = Literal["waveform", "numeric"]

CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
"""What a channel's name may look like; use `fullmatch`."""

UNKNOWN = "x."
"""Prefix of a channel that the registry does not know."""

ECG = "ecg."
"""Prefix of every ECG channel; the lead, or a number where it is unknown, follows."""

LEADS = (
    *("II", "I", "V5", "V4", "V6", "V3", "V2", "aVF", "III", "V", "MCL", "MCL1", "V1", "aVL"),
    *("CM5", "CC5", "ML5", "CM4", "CM2", "V7", "V8", "V9", "V3R", "V4R", "aVR", "X", "Y", "Z"),
)
"""Leads, the best first for finding beats in one of them: an upright, tall QRS is preferred.

`V` and `MCL` are chest leads of bedside monitors whose place the file does not say.
"""

NOT_ECG = 1_000_000
"""`ecg_rank` of a channel that is no ECG: behind every lead."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: its name, whether it is a waveform or single readings, its unit (UCUM).

    `aliases` are what files call it, in lower case with every run of other characters than
    letters and digits as one space. `lead` is the ECG lead; empty: none, or unknown.
    """

    name: str
    kind: Kind
    unit: str
    aliases: tuple[str, ...] = ()
    lead: str = ""


def _leads() -> list[Channel]:
    variants = {
        "I": ("mli", "di", "d1"),
        "II": ("mlii", "ml2", "dii", "d2"),
        "III": ("mliii", "diii", "d3"),
    }
    return [
        Channel(ECG + lead, "waveform", "mV", (lead.lower(), *variants.get(lead, ())), lead)
        for lead in LEADS
    ]


_OTHERS = [
    Channel("ppg", "waveform", "1", ("ppg", "pleth", "plethysmogram", "spo2 wave", "bvp")),
    Channel("abp", "waveform", "mm[Hg]", ("abp", "art", "ap", "bp", "ibp", "art bp", "p1")),
    Channel("cvp", "waveform", "mm[Hg]", ("cvp",)),
    Channel("pap", "waveform", "mm[Hg]", ("pap",)),
    Channel("icp", "waveform", "mm[Hg]", ("icp",)),
    Channel(
        "respiration",
        "waveform",
        "1",
        ("resp", "respiration", "imp", "impedance", "thorax", "resp thorax", "resp impedance"),
    ),
    Channel("acceleration.x", "waveform", "[g]", ("acc x", "accx", "accelerometer x")),
    Channel("acceleration.y", "waveform", "[g]", ("acc y", "accy", "accelerometer y")),
    Channel("acceleration.z", "waveform", "[g]", ("acc z", "accz", "accelerometer z")),
    Channel("spo2", "numeric", "%", ("spo2", "sao2", "o2 sat", "o2sat", "spo2 sat", "oxygen")),
    Channel("pulse_rate", "numeric", "/min", ("pulse", "pr", "pulse rate", "pulse spo2")),
    Channel("heart_rate", "numeric", "/min", ("hr", "heart rate", "heartrate", "ecg hr")),
    Channel("rr", "numeric", "ms", ("rr", "rri", "ibi", "nn", "rr interval")),
    Channel(
        "respiratory_rate",
        "numeric",
        "/min",
        ("respiratory rate", "resp rate", "resprate", "breath rate", "br", "rr", "resp"),
    ),
    Channel("systolic", "numeric", "mm[Hg]", ("nbps", "sbp", "sys", "systolic", "nbp sys", "abps")),
    Channel(
        "diastolic", "numeric", "mm[Hg]", ("nbpd", "dbp", "dia", "diastolic", "nbp dias", "abpd")
    ),
    Channel(
        "mean_pressure", "numeric", "mm[Hg]", ("nbpm", "map", "mbp", "nbp mean", "abpm", "abp mean")
    ),
    Channel("temperature", "numeric", "Cel", ("temp", "temperature", "body temperature", "tcore")),
    Channel("weight", "numeric", "kg", ("weight", "body weight")),
    Channel("activity", "numeric", "{count}/min", ("activity", "steps", "activity counts")),
    Channel("oxygen_flow", "numeric", "L/min", ("oxygen flow", "o2 flow")),
    Channel("perfusion_index", "numeric", "%", ("perf", "pi", "perfusion", "perfusion index")),
    Channel("etco2", "numeric", "mm[Hg]", ("etco2", "co2 et")),
    Channel("lead_off", "numeric", "1", ("lead off", "leads off")),
    Channel("probe_off", "numeric", "1", ("probe off",)),
]

CHANNELS: dict[str, Channel] = {c.name: c for c in (*_leads(), *_OTHERS)}
"""Every known channel by its name. ECGs of unknown lead (`ecg.1` …) come from `channel`."""


def _normal(name: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


_BY_ALIAS: dict[str, list[Channel]] = {}
for _channel in CHANNELS.values():
    for _alias in dict.fromkeys((*_channel.aliases, _normal(_channel.name))):
        _BY_ALIAS.setdefault(_alias, []).append(_channel)

_VOLTS = ("mV", "uV", "V", "nV")
_ECG_WORD = re.compile(r"\b(?:ecg|ekg)(\d*)\b")


def channel(name: str) -> Channel | None:
    """Return the channel of one of our names, also of an ECG of unknown lead; None: unknown."""
    known = CHANNELS.get(name)
    if known is None and re.fullmatch(r"ecg\.[1-9][0-9]?", name):
        return Channel(name, "waveform", "mV")
    return known


def unit_of(name: str) -> str:
    """Return the UCUM unit of a channel's name; "1" where the registry does not know it."""
    known = channel(name)
    if known is not None:
        return known.unit
    return "mV" if name.startswith(ECG) else "1"


def ecg_rank(name: str) -> int:
    """Return how late an ECG channel comes as the reference lead: 0 (`ecg.II`) is the first.

    Numbered leads come behind the named ones, `ecg.1` before `ecg.2`, foreign ones behind them;
    what is no ECG gets `NOT_ECG`. Of equal ranks the name decides.
    """
    if not name.startswith(ECG):
        return NOT_ECG
    lead = name.removeprefix(ECG)
    if lead in LEADS:
        return LEADS.index(lead)
    return len(LEADS) + (int(lead) if re.fullmatch(r"[0-9]{1,3}", lead) else 1000)


def sanitise(name: str) -> str:
    """Return the channel name under which an unknown signal is kept: `x.` and its safe letters."""
    safe = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return UNKNOWN + (safe[:60] or "signal")


def resolve(signal_name: str, unit: str = "") -> Channel | None:
    """Return the channel that a file's signal name and unit mean; None: not recognised.

    Parameters
    ----------
    signal_name : as the file spells it, e.g. `MLII`, `ECG, … lead II`, `NBPs [mmHg]`
    unit : as the file spells it; a unit in brackets at the end of the name serves when empty

    Notes
    -----
    The unit decides between namesakes (`RR` in ms is `rr`, per minute `respiratory_rate`; `RESP`
    per minute is a rate, else the waveform); a name whose unit is of another dimension is not
    recognised. A bare lead (`V`, `I`) must be a voltage or without unit. `ECG`, `ECG1`, `EKG 2`
    are leads unknown: `ecg.1`, `ecg.2`.
    """
    bracket = re.fullmatch(r"(.*?)\s*\[([^\]]*)\]\s*", signal_name)
    if bracket:
        signal_name, unit = bracket[1], unit or bracket[2]
    measured = ucum(unit)
    head = signal_name.split(",")[0]
    for text in dict.fromkeys((_normal(signal_name), _normal(head))):
        fits = [c for c in _BY_ALIAS.get(text, ()) if _fits(c, measured)]
        if len(fits) > 1:  # namesakes: without a unit only a waveform is taken for granted
            exact = [c for c in fits if measured == c.unit]
            fits = exact or [c for c in fits if c.kind == "waveform"]
        if len(fits) == 1:
            return fits[0]
    return _ecg(_normal(signal_name), measured)


def assign(signals: Sequence[tuple[str, str]]) -> list[tuple[Channel, int, bool]]:
    """Give each signal of one recording its channel: (channel, ordinal, recognised).

    Two signals of one known channel keep its name and get ordinals 1, 2 …: they are two devices.
    ECGs of unknown lead get the next free number instead.

    Parameters
    ----------
    signals : (name, unit) of each, as the file spells them
    """
    given: list[tuple[Channel, int, bool]] = []
    seen: dict[str, int] = {}
    for name, unit in signals:
        found = resolve(name, unit)
        used = found or Channel(sanitise(name), "waveform", ucum(unit) or "1")
        if re.fullmatch(r"ecg\.[0-9]+", used.name):
            number = int(used.name.removeprefix(ECG))
            while f"{ECG}{number}" in seen:
                number += 1
            used = Channel(f"{ECG}{number}", "waveform", "mV")
        seen[used.name] = seen.get(used.name, 0) + 1
        given.append((used, seen[used.name], found is not None))
    return given


def _fits(candidate: Channel, measured: str | None) -> bool:
    """Whether a unit (None: one that we do not know) may be that of a channel."""
    if measured in ("", "1"):
        return True
    if candidate.unit == "1":  # arbitrary units: any, but not a rate a minute
        return measured != "/min"
    if measured is None:
        return not candidate.lead  # "V" of an unknown unit is no lead
    return conversion(measured, candidate.unit) is not None


def _ecg(text: str, measured: str | None) -> Channel | None:
    """Return the ECG channel of a text that says ECG, with the lead that it names."""
    word = _ECG_WORD.search(text)
    if word is None and "lead" not in text.split():
        return None
    if measured not in (None, "", "1", *_VOLTS):
        return None
    if lead := re.search(r"\blead ([a-z0-9]+)", text):
        candidates = [lead[1]]
    else:
        candidates = [t for t in text.split() if not _ECG_WORD.fullmatch(t)]
    for token in reversed(candidates):
        for found in _BY_ALIAS.get(token, ()):
            if found.lead:
                return found
    numbers = [t for t in (*candidates, word[1] if word else "") if t.isdigit() and int(t) > 0]
    return Channel(f"{ECG}{int(numbers[0]) % 100 or 1}" if numbers else f"{ECG}1", "waveform", "mV")
