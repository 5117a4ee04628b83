"""Names and units of files find their channels; what is unknown is kept, safely named."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telesurv_streams.channels import (
    CHANNEL,
    CHANNELS,
    LEADS,
    NOT_ECG,
    assign,
    channel,
    ecg_rank,
    resolve,
    sanitise,
    unit_of,
)
from telesurv_streams.units import conversion, ucum


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("MLII", "mV", "ecg.II"),
        ("II", "mV", "ecg.II"),
        ("ii", "uV", "ecg.II"),
        ("V5", "mV", "ecg.V5"),
        ("V", "mV", "ecg.V"),
        ("AVR", "mV", "ecg.aVR"),
        ("aVF", "mV", "ecg.aVF"),
        ("MCL", "mV", "ecg.MCL"),
        ("EKG II", "uV", "ecg.II"),
        ("ECG lead V5", "mV", "ecg.V5"),
        ("ECG, ECG recorded using bedside monitor, lead II", "mV", "ecg.II"),
        ("ECG ", "mV", "ecg.1"),
        ("ECG1", "mV", "ecg.1"),
        ("ECG2", "mV", "ecg.2"),
        ("PPG, Fingertip PPG recorded using bedside monitor", "NU", "ppg"),
        ("PLETH", "NU", "ppg"),
        ("ABP", "mmHg", "abp"),
        ("ART", "mmHg", "abp"),
        ("CVP", "mmHg", "cvp"),
        ("RESP", "pm", "respiration"),
        ("RESP", "", "respiration"),
        ("RESP", "bpm", "respiratory_rate"),
        (
            "resp, Impedance pneumography respiratory signal recorded at the chest",
            "pm",
            "respiration",
        ),
        ("RR [rpm]", "", "respiratory_rate"),
        ("RR", "ms", "rr"),
        ("RR", "s", "rr"),
        ("HR", "bpm", "heart_rate"),
        ("PULSE", "bpm", "pulse_rate"),
        ("Pulse (SpO2) [bpm]", "", "pulse_rate"),
        ("SpO2", "%", "spo2"),
        ("SpO2 [%]", "", "spo2"),
        ("SpO2", "NU", "spo2"),
        ("NBPs [mmHg]", "", "systolic"),
        ("NBPd [mmHg]", "", "diastolic"),
        ("Temp", "°F", "temperature"),
    ],
)
def test_names_of_files_find_their_channel(name: str, unit: str, expected: str) -> None:
    found = resolve(name, unit)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("RR", ""),  # an interval or a rate: not for us to guess
        ("V", "L"),  # a volume
        ("X", "m/s"),
        ("HR", "mmHg"),
        ("EEG Fpz-Cz", "uV"),
        ("", ""),
        ("Gas flow", "NU"),
    ],
)
def test_what_is_not_known_is_not_guessed(name: str, unit: str) -> None:
    assert resolve(name, unit) is None


def test_every_channel_resolves_from_its_own_name() -> None:
    for name, known in CHANNELS.items():
        assert resolve(name, known.unit) == known
        assert channel(name) is known
        assert CHANNEL.fullmatch(name)


def test_units_are_ucum_and_convert() -> None:
    assert unit_of("ecg.7") == "mV"
    assert unit_of("ecg.whatever") == "mV"
    assert unit_of("spo2") == "%"
    assert unit_of("x.Gas_flow") == "1"
    assert conversion(ucum("uV"), "mV") == (1e-3, 0.0)
    factor, shift = conversion(ucum("°F"), "Cel") or (0.0, 0.0)
    assert 98.6 * factor + shift == pytest.approx(37.0)
    assert conversion(ucum("furlong"), "mV") is None


def test_second_lead_of_unknown_place_gets_the_next_number() -> None:
    given_ = assign([("ECG", "mV"), ("ECG", "mV"), ("ECG2", "mV"), ("II", "mV")])
    assert [(c.name, o) for c, o, _ in given_] == [
        ("ecg.1", 1),
        ("ecg.2", 1),
        ("ecg.3", 1),
        ("ecg.II", 1),
    ]


def test_two_signals_of_one_channel_are_two_devices() -> None:
    given_ = assign([("PLETH", "NU"), ("PLETH", "NU"), ("Gas flow!", "L"), ("Gas-flow?", "L")])
    assert [(c.name, o, known) for c, o, known in given_] == [
        ("ppg", 1, True),
        ("ppg", 2, True),
        ("x.Gas_flow", 1, False),
        ("x.Gas_flow", 2, False),
    ]


def test_reference_lead_is_the_most_upright_and_named_before_numbered() -> None:
    names = ["ecg.2", "ecg.10", "ecg.aVR", "x.ECG", "ecg.I", "ecg.V5", "ecg.II", "ecg.odd", "ecg.1"]
    assert sorted(names, key=ecg_rank) == [
        *("ecg.II", "ecg.I", "ecg.V5", "ecg.aVR", "ecg.1", "ecg.2", "ecg.10", "ecg.odd", "x.ECG"),
    ]
    assert ecg_rank("ppg") == NOT_ECG
    assert len({ecg_rank(f"ecg.{lead}") for lead in LEADS}) == len(LEADS)


@given(st.text(max_size=200), st.text(max_size=10))
def test_any_name_gives_a_valid_channel(name: str, unit: str) -> None:
    assert CHANNEL.fullmatch(sanitise(name))
    ((found, ordinal, _),) = assign([(name, unit)])
    assert CHANNEL.fullmatch(found.name)
    assert ordinal == 1


@given(st.lists(st.sampled_from(["ECG", "ECG1", "ECG 2", "II", "PLETH", "?", *string.digits])))
def test_no_two_signals_of_a_recording_share_channel_and_device(names: list[str]) -> None:
    given_ = assign([(name, "mV") for name in names])
    assert len({(c.name, ordinal) for c, ordinal, _ in given_}) == len(names)
