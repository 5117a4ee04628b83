"""One sentence with its numbers for every condition, in English and in French."""

import re

from telesurv.alerts.model import Reason

_TEXTS = {
    "asystole": (
        "No heartbeat found for {value:.1f} s of readable ECG (limit {limit:g} s).",
        "Aucun battement détecté pendant {value:.1f} s d'ECG lisible (limite {limit:g} s).",
    ),
    "pause": (
        "Pause of {value:.0f} ms between two heartbeats (limit {limit:.0f} ms).",
        "Pause de {value:.0f} ms entre deux battements (limite {limit:.0f} ms).",
    ),
    "extreme-bradycardia": (
        "Heart rate {value:.0f}/min over {beats}consecutive beats (limit {limit:g}/min).",
        "Fréquence cardiaque {value:.0f}/min sur {beats}battements consécutifs "
        "(limite {limit:g}/min).",
    ),
    "extreme-tachycardia": (
        "Heart rate {value:.0f}/min over {beats}consecutive beats (limit {limit:g}/min).",
        "Fréquence cardiaque {value:.0f}/min sur {beats}battements consécutifs "
        "(limite {limit:g}/min).",
    ),
    "ventricular-tachycardia": (
        "Ventricular tachycardia: 5 or more ventricular beats in a row at {value:.0f}/min "
        "(limit {limit:g}/min).",
        "Tachycardie ventriculaire : au moins 5 battements ventriculaires consécutifs à "
        "{value:.0f}/min (limite {limit:g}/min).",
    ),
    "ventricular-run": (
        "Run of 3 or 4 ventricular beats at {value:.0f}/min (limit {limit:g}/min).",
        "Salve de 3 ou 4 battements ventriculaires à {value:.0f}/min (limite {limit:g}/min).",
    ),
    "ventricular-fibrillation": (
        "Fibrillation or flutter of the ventricles: no distinct beats, an oscillating ECG for "
        "{value:.1f} s (limit {limit:g} s).",
        "Fibrillation ou flutter ventriculaire : ECG oscillant sans battement distinct pendant "
        "{value:.1f} s (limite {limit:g} s).",
    ),
    "supraventricular-tachycardia": (
        "Sudden regular tachycardia of narrow beats at {value:.0f}/min (limit {limit:g}/min).",
        "Tachycardie régulière à QRS fins, de début soudain, à {value:.0f}/min "
        "(limite {limit:g}/min).",
    ),
    "atrial-fibrillation": (
        "Irregular without any pattern for {limit:g} s or 52 beats, mean rate {value:.0f}/min: "
        "atrial fibrillation.",
        "Rythme irrégulier sans aucun motif pendant {limit:g} s ou 52 battements, fréquence "
        "moyenne {value:.0f}/min : fibrillation atriale.",
    ),
    "couplet": (
        "Two ventricular beats in a row, at {value:.0f}/min.",
        "Deux battements ventriculaires consécutifs, à {value:.0f}/min.",
    ),
    "bigeminy": (
        "Every second beat is ventricular, {limit:g} times or more.",
        "Un battement sur deux est ventriculaire, au moins {limit:g} fois.",
    ),
    "trigeminy": (
        "Every third beat is ventricular, {limit:g} times or more.",
        "Un battement sur trois est ventriculaire, au moins {limit:g} fois.",
    ),
    "missed-beat": (
        "{value:.0f} beats missing within a minute (limit {limit:g}): twice the usual interval, "
        "without ectopy to explain it.",
        "{value:.0f} battements manquants en une minute (limite {limit:g}) : intervalle double, "
        "sans extrasystole qui l'explique.",
    ),
    "frequent-ventricular-beats": (
        "{value:.0f} ventricular beats in an hour (limit {limit:g}).",
        "{value:.0f} battements ventriculaires en une heure (limite {limit:g}).",
    ),
    "desaturation": (
        "SpO2 down to {value:.0f} % (limit {limit:g} %).",
        "SpO2 abaissée à {value:.0f} % (limite {limit:g} %).",
    ),
    "severe-desaturation": (
        "SpO2 down to {value:.0f} %, severe (limit {limit:g} %).",
        "SpO2 abaissée à {value:.0f} %, désaturation sévère (limite {limit:g} %).",
    ),
    "lead-off": (
        "Electrode off: {channel} has been constant for {value:.0f} s.",
        "Électrode décrochée : {channel} constant depuis {value:.0f} s.",
    ),
    "probe-off": (
        "Oximeter probe off: no valid SpO2 for {value:.0f} s.",
        "Capteur d'oxymétrie retiré : aucune SpO2 valide depuis {value:.0f} s.",
    ),
    "unreadable": (
        "{channel} could not be read for {value:.0f} % of 5 min (limit {limit:g} %).",
        "{channel} illisible pendant {value:.0f} % de 5 min (limite {limit:g} %).",
    ),
    "non-transmission": (
        "Nothing received for {duration} (allowed: {allowed}).",
        "Aucune donnée reçue depuis {duration} (délai prévu : {allowed}).",
    ),
    "clock-skew": (
        "The device's clock is {duration} ahead of the time of arrival; its data are set aside.",
        "L'horloge de l'appareil avance de {duration} sur l'heure d'arrivée ; "
        "ses données sont mises à part.",
    ),
    "clock-set-back": (
        "The device's clock was set back by {duration}; its data are set aside until it is past "
        "where it was.",
        "L'horloge de l'appareil a reculé de {duration} ; ses données sont mises à part tant "
        "qu'elle n'a pas rattrapé ce retard.",
    ),
    "quarantined": (
        "This patient's data stopped the service and are set aside until they are released.",
        "Les données de ce patient ont arrêté le service ; elles sont mises à l'écart jusqu'à "
        "leur libération.",
    ),
    "data-lost": (
        "Part of what was sent was no longer kept when it was to be analysed.",
        "Une partie des données envoyées n'était plus conservée au moment de l'analyse.",
    ),
}


def duration_text(seconds: float) -> str:
    """Return seconds as people say them, alike in both languages: `45 s`, `20 min`, `3 h 05`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02d}"
    days = hours // 24
    return f"{days} d {hours % 24} h"


def reason(condition: str, value: float, limit: float, channel: str = "", beats: int = 0) -> Reason:
    """Return the sentence of a condition; of `clock-skew` also where the clock was set back.

    Parameters
    ----------
    condition : its name
    value, limit : the number that fired and its limit, in the condition's unit
    channel : the channel it was found in
    beats : in a row, that the plan asks for; 0: not known, or none are counted
    """
    if condition == "clock-skew" and value < 0:
        condition, value = "clock-set-back", -value
    numbers: dict[str, float | str] = {"value": value, "limit": limit, "channel": channel}
    numbers |= {"duration": duration_text(value), "allowed": duration_text(limit)}
    english, french = _TEXTS[condition]
    of = f"{beats} " if beats else ""
    return Reason(
        en=english.format(**numbers, beats=of),
        fr=_french(french.format(**numbers, beats=of or "des ")),
    )


def _french(text: str) -> str:
    """Write decimal commas, and days as French does."""
    text = re.sub(r"(?<=[0-9]) d (?=[0-9])", " j ", text)
    return re.sub(r"(?<=[0-9])\.(?=[0-9])", ",", text)
