"""A decoder that remembers messages gives what one without memory gives, whatever it has seen."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telesurv_streams import _known, wire
from telesurv_streams.frame import SCHEMA, Frames
from telesurv_streams.wire import Decoder, Malformed, Row, decode, encode

T0 = 1_700_000_000_000_000_000


def second(patient: str = "p-01", k: int = 0, ecg: int = 250) -> list[Row]:
    start_ns, name = T0 + k * 10**9, (patient, "belt")
    return [
        Row(*name, "ecg.II", start_ns, 250.0, 0.005, 0.1, np.arange(ecg, dtype=np.int16) + k, k),
        Row(*name, "ppg", start_ns, 125.0, 1.0, 0.0, np.full(125, k, np.int16), k),
        Row(*name, "spo2", start_ns + 5, 0.0, 1.0, 0.0, np.array([90 + k % 9], np.int16)),
    ]


def plain(decoded: tuple[Frames, list[Malformed]]) -> tuple[list[object], list[object]]:
    """Rows and faults as values that can be compared."""
    frames, malformed = decoded
    rows = [
        (
            frames.names[frames.name[i]],
            *(int(column[i]) for column in (frames.start_ns, frames.sequence)),
            *(column[i].tobytes() for column in (frames.rate_hz, frames.scale, frames.offset)),
            frames.samples[frames.first[i] : frames.first[i + 1]].tolist(),
            *(int(column[i]) for column in (frames.record, frames.row)),
        )
        for i in range(len(frames))
    ]
    return rows, [(m.record, m.row, m.reason) for m in malformed]


def alike(decoder: Decoder, values: Sequence[bytes]) -> None:
    assert plain(decoder.decode(values)) == plain(decode(values))


def known(decoder: Decoder, values: Sequence[bytes]) -> list[int]:
    """Which messages are like ones that were seen: the others would be asked of Arrow."""
    _, left = decoder._known.read(values)
    return sorted(set(range(len(values))) - set(left))


PATIENTS = st.sampled_from(["a", "b", "p-01", "p-02", "other", "x" * 64])
MESSAGES = st.lists(
    st.builds(
        lambda patient, k, ecg, which: encode(second(patient, k, ecg)[which]),
        PATIENTS,
        st.integers(0, 30_000),
        st.integers(1, 3),
        st.sampled_from([slice(0, 3), slice(0, 1), slice(1, 3), slice(2, None, -1)]),
    )
    | st.binary(max_size=300),
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(MESSAGES, max_size=6))
def test_batch_after_batch_is_decoded_as_without_memory(batches: list[list[bytes]]) -> None:
    decoder = Decoder()
    for values in batches:
        alike(decoder, values)


def test_a_sender_is_known_after_its_first_message() -> None:
    decoder = Decoder()
    names = [f"p-{number}" for number in range(8, 12)]  # of two lengths: two layouts
    assert known(decoder, [encode(second(name)) for name in names]) == []
    alike(decoder, [encode(second(name)) for name in names])
    later = [encode(second(name, 7)) for name in [*names, "stranger"]]
    assert known(decoder, later) == [0, 1, 2, 3]
    frames, _ = decoder.decode(later)
    again, _ = decoder.decode(later)
    assert again.names is frames.names
    assert len(set(again.names)) == len(again.names) == 15


def test_no_byte_can_be_changed_unseen() -> None:
    decoder = Decoder()
    message = encode([row._replace(samples=row.samples[:4]) for row in second()])
    alike(decoder, [message])
    assert known(decoder, [message]) == [0]
    for place in range(len(message)):
        for changed in (message[place] ^ 1, message[place] ^ 0x80, 255 - message[place]):
            other = message[:place] + bytes([changed]) + message[place + 1 :]
            alike(decoder, [message, other])
    alike(decoder, [message[:-8], message + bytes(8), message])


def with_first(*first: int) -> bytes:
    """A message whose rows' samples begin elsewhere; Arrow accepts some of these."""
    columns = list(wire.to_batch(second(ecg=4)).columns)
    columns[7] = pa.ListArray.from_buffers(
        SCHEMA.field("samples").type,
        3,
        [None, pa.py_buffer(np.array(first, np.int32))],
        children=[pa.array(np.arange(130, dtype=np.int16))],
    )
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA).serialize().to_pybytes()


@pytest.mark.parametrize(
    "first", [(0, 4, 129, 130), (0, 0, 129, 130), (1, 4, 129, 130), (0, 4, 3, 130), (0, 4, 9, 9)]
)
def test_where_samples_begin_is_looked_at_each_time(first: tuple[int, ...]) -> None:
    decoder = Decoder()
    alike(decoder, [with_first(0, 4, 129, 130)])
    for _ in range(2):
        alike(decoder, [with_first(0, 4, 129, 130), with_first(*first)])


def test_values_of_known_senders_are_judged() -> None:
    decoder = Decoder()
    alike(decoder, [encode(second())])
    rows = second(k=1)
    wrong = [
        [rows[0]._replace(start_ns=0), *rows[1:]],
        [rows[0]._replace(rate_hz=float("nan")), rows[1], rows[2]._replace(scale=0.0)],
        [rows[0], rows[1]._replace(sequence=-2), rows[2]],
        [rows[0]._replace(rate_hz=99.0), *rows[1:]],
    ]
    values = [encode(each) for each in (rows, *wrong, rows)]
    assert len(known(decoder, values)) == 6
    alike(decoder, values)
    assert len(decoder.decode(values)[1]) == 5


def test_names_that_are_not_allowed_are_not_learnt() -> None:
    decoder = Decoder()
    bad = encode([row._replace(patient="p 01") for row in second()])
    alike(decoder, [bad])
    assert known(decoder, [bad]) == []
    alike(decoder, [bad, encode(second())])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_known, "LAYOUTS_MAX", 3)
    monkeypatch.setattr(_known, "NAMES_MAX", 40)
    decoder = Decoder()
    for k in range(30):
        values = [encode(second("x" * size, k)) for size in range(1 + k % 7, 4 + k % 7)]
        alike(decoder, [*values, encode(second(f"p-{k}", k))])
        layouts = [each for same in decoder._known._layouts.values() for each in same]
        assert len(layouts) <= 3
        assert len(decoder._known.names) <= 40 + 12
    for k in (5, 6):  # the first one may be what makes it forget
        alike(decoder, [encode(second(k=k))])
    assert known(decoder, [encode(second(k=7))]) == [0]


def test_many_new_layouts_at_once_are_learnt_little_by_little() -> None:
    decoder = Decoder()
    values = [encode(second("x" * size)) for size in range(1, 30)]
    seen = []
    for _ in range(4):
        alike(decoder, values)
        seen.append(len(known(decoder, values)))
    assert seen == [8, 16, 24, 29]
