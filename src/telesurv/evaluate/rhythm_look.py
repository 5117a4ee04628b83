"""How a report of rhythms is shown."""

from collections.abc import Iterator

from telesurv.evaluate import plots, spans
from telesurv.evaluate.rhythm import TARGETS, RecordRhythm, RhythmReport, Target
from telesurv.evaluate.rhythm_figures import RhythmFigures
from telesurv.evaluate.rhythm_marks import NOISE, Called, Marks, called, read_marks
from telesurv.evaluate.view import (
    Bounds,
    Card,
    Folders,
    Instant,
    Look,
    Picture,
    Table,
    between,
    found_marks,
    named,
    percent,
    whole,
)
from telesurv.lead import Heard, Lead, hear, read_lead

HEADS = (
    *("record", "episodes", "found", "Se %", "called", "right", "+P %"),
    *("marked min", "called min", "time Se %", "time +P %", "time Sp %"),
    *("beats Se %", "beats Sp %"),
)
OF_RHYTHM = ("marked rhythm", "min", "called so min", "left alone %")
DELAYS = ("condition", "episodes", "median s", "99 % s", "longest s", "median beats", "most beats")
RECORDS_BRIEF = 24
PICTURED_RECORDS, PICTURE_S, BEFORE_S = 6, 20.0, 5.0


def title(report: RhythmReport) -> str:
    """Return what was scored."""
    lead = "first ECG lead" if report.lead is None else f"signal {report.lead}"
    heard = "the experts' beats" if report.reference_beats else lead
    return f"Rhythm: {', '.join(report.folders)}, {heard}"


def cards(report: RhythmReport) -> list[Card]:
    """Return the figures that one looks for first."""
    found = []
    for name in _shown(report):
        one = report.gross[name]
        durations, episodes, beats = one.durations, one.episodes, one.beats
        minutes = f"{durations.reference_s / 60:.0f} of {durations.judged_s / 60:.0f} min"
        value = f"{percent(durations.sensitivity, 1)} / {percent(durations.predictivity, 1)} %"
        found.append(Card("Duration Se / +P", value, f"{_sentence(name)}: {minutes}"))
        below = f"{episodes.found} of {episodes.reference} found, {episodes.right} of "
        value = f"{percent(episodes.sensitivity, 0)} / {percent(episodes.predictivity, 0)} %"
        found.append(Card("Episodes Se / +P", value, f"{below}{episodes.called} right"))
        below = f"{durations.judged_s / 3600:.1f} h judged"
        value = f"{_number(durations.false_h_per_100_h)} h"
        found.append(Card("False in 100 h", value, below))
        if beats.inside:
            value = f"{percent(beats.sensitivity, 1)} / {percent(beats.specificity, 1)} %"
            found.append(Card("Beats Se / Sp", value, f"{beats.inside + beats.outside} beats"))
    return found


def tables(report: RhythmReport, full: bool) -> list[Table]:
    """Return the tables; those in full have intervals."""
    found = []
    for name in _shown(report):
        rows = [
            (named(one.folder, one.record, report.folders), *_cells(one.figures[name], full))
            for one in report.records
            if name in one.figures
        ]
        average = report.average[name]
        shares = (average.duration_sensitivity, average.duration_predictivity)
        totals = [
            ("gross", *_cells(report.gross[name], full)),
            (
                "average",
                *("", "", percent(average.episode_sensitivity)),
                *("", "", percent(average.episode_predictivity)),
                *("", "", *map(percent, (*shares, average.duration_specificity))),
                *map(percent, (average.beat_sensitivity, average.beat_specificity)),
            ),
        ]
        few = full or len(rows) <= RECORDS_BRIEF
        found.append(Table(_sentence(name), HEADS, rows if few else [], totals))
        of_rhythm = [
            (one.rhythm or "not marked", _minutes(one.length_s), _minutes(one.called_s),
             percent(one.left_alone))
            for one in report.gross[name].by_rhythm
        ]  # fmt: skip
        found.append(Table(f"{_sentence(name)}: how each rhythm was called", OF_RHYTHM, of_rhythm))
    delays = [(name, *_delays(report.gross[name])) for name in _shown(report)]
    return [*found, Table("From onset to detection", DELAYS, delays)]


def notes(report: RhythmReport) -> list[str]:
    """Return the sentences that the tables need."""
    said = [
        "EC57: an episode is found, and a call right, where the two overlap at all; durations "
        "are of the time that both call so (Se of what experts marked, +P of what was called, Sp "
        "of the rest that was left alone). Beats: those that experts marked. Noise that experts "
        "marked does not count. Intervals: Wilson, 95 %, of episodes and of beats, as if each "
        "were independent; minutes of an episode have none.",
        "Detected: signal from the experts' onset to the announcement of the episodes that were "
        "found; beats are counted from the onset that was found.",
    ]
    if report.reference_beats:
        said.append("The experts' beats and classes were heard instead of a signal.")
    if report.left_out:
        said.append(f"Without marks of rhythm: {', '.join(report.left_out)}.")
    return said


def drawn(report: RhythmReport) -> list[str]:
    """Return durations of each record, and delays, by target."""
    found = []
    for name in _shown(report):
        points = [
            _point(named(one.folder, one.record, report.folders), one.figures[name])
            for one in report.records
            if name in one.figures
        ]
        axes = ("positive predictivity by duration %", "sensitivity by duration %")
        gross = _point("gross", report.gross[name])
        found.append(plots.scatter(f"{_sentence(name)}: each record", points, gross, axes))
        title_ = f"{_sentence(name)}: from onset to detection"
        found.append(plots.histogram(title_, report.delays[name], "episodes"))
    return found


def pictures(report: RhythmReport, folders: Folders) -> Iterator[Picture]:
    """Yield where the longest error of the worst records begins, by target."""
    for name in _shown(report):
        target = TARGETS[name]

        def wrong_s(one: RecordRhythm, name: str = name) -> float:
            durations = one.figures[name].durations
            return durations.reference_s + durations.called_s - 2 * durations.both_s

        judged = [one for one in report.records if name in one.figures and one.lead is not None]
        for one in sorted(judged, key=wrong_s, reverse=True)[:PICTURED_RECORDS]:
            path = folders[one.folder] / one.record
            lead = read_lead(path, report.lead)
            marks = read_marks(path, len(lead.samples) / lead.rate_hz)
            if marks is not None and wrong_s(one) > 0:
                label = f"{named(one.folder, one.record, report.folders)}, {name.replace('-', ' ')}"
                yield _picture(label, target, lead, hear(lead), marks)


LOOK = Look(title, cards, tables, notes, drawn, "Where the longest errors begin", pictures)


def _picture(label: str, target: Target, lead: Lead, heard: Heard, marks: Marks) -> Picture:
    found = called(heard.finding, target.condition, marks.end_s)
    begin, end, kind = longest_error(target, found, marks)
    instants = [Instant(at_s, f"experts: {code}") for at_s, _, code in marks.rhythms if code]
    for one in found:
        instants += [
            Instant(one.onset_s, "found: onset", wrong=True),
            Instant(one.detected_s, "detected", wrong=True),
            Instant(one.end_s, "found: end", wrong=True),
        ]
    return Picture(
        title=f"{label}: {kind} for {end - begin:.0f} s",
        lead=lead,
        mask=heard.mask,
        begin_s=max(begin - BEFORE_S, 0.0),
        length_s=PICTURE_S,
        found=found_marks(heard.beats, lead.rate_hz),
        instants=tuple(instants),
    )


def longest_error(target: Target, found: list[Called], marks: Marks) -> tuple[float, float, str]:
    """Return the longest stretch that was missed or called wrongly, and which of both."""
    judged = spans.without([(0.0, marks.end_s)], marks.spans(NOISE))
    truth = spans.both(marks.spans(*target.rhythms), judged)
    said = spans.both((one.span for one in found), judged)
    errors = [(*span, "missed") for span in spans.without(truth, said)]
    errors += [(*span, "called wrongly") for span in spans.without(said, truth)]
    return max(errors, key=lambda one: one[1] - one[0], default=(0.0, 0.0, "nothing wrong"))


def _shown(report: RhythmReport) -> list[str]:
    """Return the targets that say something: marked or called, and not twice the same."""
    names: list[str] = []
    for name, one in report.gross.items():
        silent = not one.episodes.reference and not one.episodes.called
        if (silent and names) or any(one == report.gross[other] for other in names):
            continue
        names.append(name)
    return names


def _cells(one: RhythmFigures, intervals: bool) -> tuple[str, ...]:
    episodes, durations, beats = one.episodes, one.durations, one.beats

    def shown(share: float | None, bounds: Bounds | None) -> str:
        return between(share, bounds, 1) if intervals else percent(share, 1)

    return (
        *(str(episodes.reference), str(episodes.found)),
        shown(episodes.sensitivity, episodes.sensitivity_interval),
        *(str(episodes.called), str(episodes.right)),
        shown(episodes.predictivity, episodes.predictivity_interval),
        *(_minutes(durations.reference_s), _minutes(durations.called_s)),
        *(percent(durations.sensitivity), percent(durations.predictivity)),
        *(percent(durations.specificity), percent(beats.sensitivity), percent(beats.specificity)),
    )


def _delays(one: RhythmFigures) -> tuple[str, ...]:
    times = one.decided
    every = (times.median_ms, times.p99_ms, times.max_ms)
    seconds = (None if ms is None else ms / 1000 for ms in every)
    of_beats = one.decided_beats or (None, None)
    return (str(one.episodes.found), *map(_number, seconds), *map(whole, of_beats))


def _point(name: str, one: RhythmFigures) -> plots.Point:
    durations = one.durations
    return plots.Point(name, durations.predictivity, durations.sensitivity, None, None)


def _sentence(name: str) -> str:
    spoken = name.replace("-", " ")
    return spoken[:1].upper() + spoken[1:]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _number(value: float | None) -> str:
    return whole(None) if value is None else f"{value:.2f}"
