# ruff: noqa: RUF001  (apostrophes and dashes as people write them)
"""Every word of the console, in English and French, and how it writes dates and numbers."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import get_args

from telesurv.alerts.model import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)

CONDITIONS: dict[str, tuple[str, str]] = {
    # heart
    "asystole": ("Asystole", "Asystolie"),
    "pause": ("Pause", "Pause cardiaque"),
    "extreme-bradycardia": ("Extreme bradycardia", "Bradycardie extrême"),
    "extreme-tachycardia": ("Extreme tachycardia", "Tachycardie extrême"),
    "bradycardia": ("Bradycardia", "Bradycardie"),
    "tachycardia": ("Tachycardia", "Tachycardie"),
    "ventricular-tachycardia": ("Ventricular tachycardia", "Tachycardie ventriculaire"),
    "ventricular-run": ("Ventricular run", "Salve ventriculaire"),
    "ventricular-fibrillation": ("Ventricular fibrillation", "Fibrillation ventriculaire"),
    "supraventricular-tachycardia": (
        "Supraventricular tachycardia",
        "Tachycardie supraventriculaire",
    ),
    "atrial-fibrillation": ("Atrial fibrillation", "Fibrillation atriale"),
    "couplet": ("Ventricular couplet", "Doublet ventriculaire"),
    "bigeminy": ("Ventricular bigeminy", "Bigéminisme ventriculaire"),
    "trigeminy": ("Ventricular trigeminy", "Trigéminisme ventriculaire"),
    "missed-beat": ("Missed beats", "Battements manqués"),
    "frequent-ventricular-beats": (
        "Frequent ventricular beats",
        "Extrasystoles ventriculaires fréquentes",
    ),
    # oxygen, breath, pulse
    "desaturation": ("Desaturation", "Désaturation"),
    "severe-desaturation": ("Severe desaturation", "Désaturation sévère"),
    "spo2-decline": ("Slow decline of SpO₂", "Baisse progressive de la SpO₂"),
    "hyperoxia-on-oxygen": ("Hyperoxia on oxygen", "Hyperoxie sous oxygène"),
    "apnea": ("Apnoea", "Apnée"),
    "bradypnea": ("Bradypnoea", "Bradypnée"),
    "tachypnea": ("Tachypnoea", "Tachypnée"),
    # scores and slow measures
    "news2-high": ("NEWS2 high (7 or more)", "Score NEWS2 élevé (7 ou plus)"),
    "news2-medium": ("NEWS2 medium (5–6)", "Score NEWS2 intermédiaire (5–6)"),
    "news2-single": ("NEWS2: 3 in one parameter", "Score NEWS2 : 3 pour un seul paramètre"),
    "weight-gain": ("Weight gain", "Prise de poids"),
    "weight-loss": ("Weight loss", "Perte de poids"),
    "hypertension": ("Hypertension", "Hypertension artérielle"),
    "hypotension": ("Hypotension", "Hypotension artérielle"),
    "fever": ("Fever", "Fièvre"),
    "hypothermia": ("Hypothermia", "Hypothermie"),
    "activity-decline": ("Decline of activity", "Baisse d’activité"),
    # technical
    "non-transmission": ("No transmission", "Absence de transmission"),
    "lead-off": ("Electrode off", "Électrode décrochée"),
    "probe-off": ("Oximeter probe off", "Capteur d’oxymétrie retiré"),
    "unreadable": ("Unreadable signal", "Signal illisible"),
    "clock-skew": ("Device clock is wrong", "Horloge de l’appareil déréglée"),
    "misrouted": ("Data on a wrong route", "Données mal acheminées"),
    "quarantined": ("Data set aside", "Données mises à l’écart"),
    "data-lost": ("Data lost", "Données perdues"),
}
"""Names of the conditions; one that is not here is shown as it came."""

WORDS: dict[str, tuple[str, str]] = {
    "title": ("telesurv console", "Console telesurv"),
    "skip": ("Skip to the alerts", "Aller aux alertes"),
    "other_language": ("Français", "English"),
    "zone": ("Times:", "Heures :"),
    # priorities, kinds, modes
    "high": ("High", "Haute"),
    "medium": ("Medium", "Moyenne"),
    "low": ("Low", "Basse"),
    "priority": ("priority", "priorité"),
    "priority_high": ("High priority", "Priorité haute"),
    "priority_medium": ("Medium priority", "Priorité moyenne"),
    "priority_low": ("Low priority", "Priorité basse"),
    "physiological": ("Physiological", "Physiologique"),
    "technical": ("Technical", "Technique"),
    "live": ("Live", "En direct"),
    "replay": ("Replay", "Relecture"),
    "demo": ("Demo", "Démonstration"),
    "mark_replay": ("REPLAY", "RELECTURE"),
    "mark_demo": ("DEMO", "DÉMONSTRATION"),
    "section_live": ("Open alerts", "Alertes en cours"),
    "section_replay": (
        "Replay: recordings read again, nothing here happens now",
        "Relecture d’enregistrements : rien ici ne se passe maintenant",
    ),
    "section_demo": (
        "Demo: nobody here is a patient under surveillance",
        "Démonstration : personne ici n’est un patient surveillé",
    ),
    "section_resolved": ("Recently resolved", "Résolues récemment"),
    "none_open": ("No open alert.", "Aucune alerte en cours."),
    "none_open_dead": (
        "Nothing is known: the service is not alive.",
        "On ne sait rien : le service ne répond plus.",
    ),
    "none_resolved": ("None yet.", "Aucune pour l’instant."),
    "not_shown": ("further open alerts are not shown.", "autres alertes en cours non affichées."),
    "resolved_more": ("older ones are not shown.", "plus anciennes non affichées."),
    # the service
    "alive": ("Service alive", "Service actif"),
    "not_alive": ("Service not alive", "Service hors ligne"),
    "not_alive_since": ("SERVICE NOT ALIVE SINCE", "SERVICE HORS LIGNE DEPUIS"),
    "never_alive": (
        "SERVICE NOT ALIVE: no sign of life was ever received",
        "SERVICE HORS LIGNE : aucun signe de vie n’a jamais été reçu",
    ),
    "missing_alive": (
        "SERVICE NOT COMPLETE: no sign of life from some partitions",
        "SERVICE INCOMPLET : aucun signe de vie de certaines partitions",
    ),
    "clock_alive": (
        "SERVICE STATE UNKNOWN: its clock and this machine’s disagree",
        "ÉTAT DU SERVICE INCONNU : son horloge et celle de cette machine ne concordent pas",
    ),
    "loading": (
        "READING THE LOG: what is shown is not complete yet",
        "LECTURE DU JOURNAL : l’affichage n’est pas encore complet",
    ),
    "log_trouble": (
        "THE LOG CANNOT BE READ: what is shown may be out of date",
        "JOURNAL ILLISIBLE : l’affichage n’est peut-être plus à jour",
    ),
    "not_watched": (
        "No new alert can come. Do not rely on this page.",
        "Aucune nouvelle alerte ne peut arriver. Ne vous fiez pas à cette page.",
    ),
    "partly_watched": (
        "No new alert can come of the patients there. Do not rely on this page for them.",
        "Aucune nouvelle alerte ne peut arriver pour les patients concernés. "
        "Ne vous fiez pas à cette page pour eux.",
    ),
    "partitions_lost": ("partitions not watched, of", "partitions non surveillées sur"),
    "lost_title": ("CONNECTION LOST SINCE", "CONNEXION PERDUE DEPUIS"),
    "lost_detail": (
        "This page is no longer updated. Trying to reconnect…",
        "Cette page n’est plus à jour. Nouvelle tentative en cours…",
    ),
    "no_script": (
        "Without JavaScript this page reloads itself every 15 seconds.",
        "Sans JavaScript, cette page se recharge toutes les 15 secondes.",
    ),
    "heartbeat": ("last sign of life", "dernier signe de vie"),
    "partition": ("partition", "partition"),
    "partitions": ("partitions", "partitions"),
    "lag_one": ("record waiting", "message en attente"),
    "lag": ("records waiting", "messages en attente"),
    "malformed_one": ("unreadable record", "message illisible"),
    "malformed": ("unreadable records", "messages illisibles"),
    # an alert
    "patient": ("Patient", "Patient"),
    "since": ("since", "depuis"),
    "from_to": ("to", "au"),
    "events": ("events", "épisodes"),
    "new_alert": ("New alert", "Nouvelle alerte"),
    "onset": ("Onset", "Début"),
    "detected": ("Detected", "Détectée"),
    "resolved": ("Resolved", "Résolue"),
    "still_open": ("open", "en cours"),
    "emitted": ("First sent", "Premier envoi"),
    "rule": ("Rule", "Règle"),
    "version": ("version", "version"),
    "limit": ("limit", "limite"),
    "plan_default": ("default plan", "plan par défaut"),
    "plan_version": ("plan, version", "plan, version"),
    "cross_check": ("Cross-check", "Recoupement"),
    "not cross-checked": ("not cross-checked", "non recoupé"),
    "course": ("Course of the episode", "Évolution de l’épisode"),
    "condition": ("Condition", "Anomalie"),
    "retrospective": ("Received late", "Reçue tardivement"),
    "not_analysable": ("Signal not analysable since", "Signal non analysable depuis"),
    "strip_of": ("Strip of", "Tracé de"),
    "no_strip": ("This alert has no strip.", "Cette alerte n’a pas de tracé."),
    "strip_incomplete": (
        "The strip will be completed as the signal comes.",
        "Le tracé sera complété à mesure que le signal arrive.",
    ),
    "strip_scroll": ("Strip, scrolls sideways", "Tracé, défilement horizontal"),
    "trends": ("Trends of the patient, 24 h at most", "Tendances du patient, 24 h au plus"),
    "no_trend": ("No trend is known yet.", "Aucune tendance connue pour l’instant."),
    "raw": ("Alert as JSON", "Alerte en JSON"),
    "raw_patient": ("Patient as JSON", "Patient en JSON"),
    # drawings
    "beats": ("beats", "battements"),
    "unreadable_stretch": ("unreadable", "illisible"),
    "mark_onset": ("onset", "début"),
    "mark_detected": ("detected", "détectée"),
    "missing": ("no data", "pas de données"),
    "constant": ("flat", "constant"),
    "saturated": ("saturated", "saturé"),
    "lead-off": ("lead off", "électrode décrochée"),
    "probe-off": ("probe off", "capteur retiré"),
    "noisy": ("noise", "bruit"),
    "not_to_scale": ("height not to scale", "amplitude sans échelle"),
    "clipped": ("peaks cut off by the paper", "pics coupés par le papier"),
    "not_drawable": ("This strip cannot be drawn:", "Ce tracé ne peut pas être dessiné :"),
    "rest_not_drawn": ("s more are not drawn", "s de plus ne sont pas dessinées"),
    "heart_rate": ("Heart rate", "Fréquence cardiaque"),
    "spo2": ("SpO₂", "SpO₂"),
    "mean_and_low": ("mean and lowest of each minute", "moyenne et minimum de chaque minute"),
    "no_value": ("no value yet", "aucune valeur"),
}

UNITS: dict[str, tuple[str, str]] = {
    "/min": ("/min", "/min"),
    "{beats}/min": ("/min", "/min"),
    "Cel": ("°C", "°C"),
    "mm[Hg]": ("mmHg", "mmHg"),
    "uV": ("µV", "µV"),
    "1": ("", ""),
}
"""UCUM codes that read better otherwise."""

_ALIASES = {"flat": "constant", "lead off": "lead-off", "lead_off": "lead-off", "noise": "noisy"}
_MONTHS: dict[Language, str] = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}


def word(name: str, language: Language) -> str:
    """Return a word of the page; an unknown name is our own fault."""
    written = WORDS[name][LANGUAGES.index(language)]
    return written.replace(" :", "\u00a0:")  # French: never a line that begins with a colon


def condition_name(condition: str, language: Language) -> str:
    """Return the name of a condition; what is not known is shown as it came."""
    names = CONDITIONS.get(condition)
    return names[LANGUAGES.index(language)] if names else condition[:80]


def why(reason: str, language: Language) -> str:
    """Return why a stretch is unreadable; what is not known is shown as it came."""
    name = _ALIASES.get(reason, reason)
    known = name in {"missing", "constant", "saturated", "lead-off", "probe-off", "noisy"}
    return word(name, language) if known else reason[:80]


def unit_name(unit: str, language: Language) -> str:
    """Return a unit as people write it."""
    names = UNITS.get(unit)
    return names[LANGUAGES.index(language)] if names else unit[:20]


def number(value: float, language: Language, digits: int = 4) -> str:
    """Return a number with `digits` significant digits and the language's decimal sign."""
    written = f"{value:.{digits}g}"
    return written.replace(".", ",") if language == "fr" else written


def quantity(value: float, unit: str, language: Language) -> str:
    """Return a value with its unit, which a line break never parts."""
    name = unit_name(unit, language)
    return number(value, language) + ("" if not name or name[0] == "/" else "\u00a0") + name


def date(instant: datetime, language: Language, zone: tzinfo) -> str:
    """Return the date and time of day, to the second, in a zone."""
    local = instant.astimezone(zone)
    month = _MONTHS[language].split()[local.month - 1]
    day = "1er" if language == "fr" and local.day == 1 else str(local.day)
    return f"{day} {month} {local.year} {local:%H:%M:%S}"


def clock(instant: datetime, zone: tzinfo) -> str:
    """Return the time of day to the second, in a zone."""
    return f"{instant.astimezone(zone):%H:%M:%S}"


def iso(instant: datetime) -> str:
    """Return an instant as ISO 8601 UTC, to the millisecond."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def zone_name(instant: datetime, zone: tzinfo) -> str:
    """Return how the page names its zone, with its offset from UTC just now."""
    local = instant.astimezone(zone)
    minutes = round((local.utcoffset() or timedelta()) / timedelta(minutes=1))
    offset = f"UTC{'+' if minutes >= 0 else '−'}{abs(minutes) // 60}"
    offset += f":{abs(minutes) % 60:02d}" if minutes % 60 else ""
    name = str(getattr(zone, "key", "") or local.tzname() or "")
    return "UTC" if name == "UTC" else f"{name} ({offset})"
