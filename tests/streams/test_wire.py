"""Messages to rows and back; bytes of any origin give rows or `Malformed`, nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frame_cases import T0, row, rows_of, same, second
from telesurv_streams import wire
from telesurv_streams.frame import MISSING, SAMPLES_MAX, SCHEMA
from telesurv_streams.log import Headers
from telesurv_streams.wire import FRAME_HEADER, Row, check_version, decode, encode

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


NAME = st.text("abzAZ09_.:-", min_size=1, max_size=64)
ROWS = st.builds(
    lambda p, d, c, start, rate, scale, offset, samples, seq: Row(
        *(p, d, c, start, float(rate), scale, offset, np.array(samples, np.int16), seq)
    ),
    NAME,
    NAME,
    st.sampled_from(["ecg.V5", "ppg", "x.Gas_flow", "respiration"]),
    st.integers(631_152_000 * 10**9, 7_258_118_399 * 10**9),
    st.integers(100, 1000),
    st.sampled_from([1e-30, -0.005, 1.0, 3e38]),
    st.sampled_from([0.0, -1e30, 98.5]),
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=20),
    st.integers(-1, 2**63 - 1),
)


@settings(deadline=None)
@given(st.lists(st.lists(ROWS, min_size=1, max_size=5), max_size=6))
def test_what_is_encoded_is_decoded_in_order(messages: list[list[Row]]) -> None:
    frames, malformed = decode([encode(rows) for rows in messages])
    assert malformed == []
    assert same(rows_of(frames), [r for rows in messages for r in rows])
    places = [(i, j) for i, rows in enumerate(messages) for j in range(len(rows))]
    assert list(zip(frames.record.tolist(), frames.row.tolist(), strict=True)) == places
    assert len(set(frames.names)) == len(frames.names)


def test_a_message_is_a_bare_record_batch_of_the_schema() -> None:
    message = encode(second())
    assert len(message) % 8 == 0
    batch = pa.ipc.read_record_batch(pa.py_buffer(message), SCHEMA)
    batch.validate(full=True)
    assert batch.column("patient").to_pylist() == ["p-01"] * 3
    assert wire.encode_batch(batch) == message


@settings(deadline=None)
@given(st.lists(ROWS, max_size=10))
def test_messages_have_the_bytes_that_arrow_writes(rows: list[Row]) -> None:
    again = [r._replace(start_ns=T0, samples=r.samples[::-1], sequence=5) for r in rows]
    for each in (rows, again):
        assert encode(each) == wire.to_batch(each).serialize().to_pybytes()


def test_a_message_made_of_a_slice_holds_nothing_of_its_neighbours() -> None:
    batch = wire.to_batch([*second("p-left"), *second("p-mine"), *second("p-right")])
    message = wire.encode_batch(batch.slice(3, 3))
    assert message == encode(second("p-mine"))
    assert b"p-right" not in message


BAD_ROWS = {
    "patient": row(patient="Jean Dupont"),
    "patient ''": row(patient=""),
    "patient '" + "p" * 65: row(patient="p" * 65),
    "patient 'p\\n'": row(patient="p\n"),
    "device": row(device="é"),
    "channel": row(channel="2nd lead"),
    "start": row(start_ns=0),
    "start 7258118400000000000": row(start_ns=7_258_118_400_000_000_000),
    "rate nan": row(rate_hz=float("nan")),
    "rate inf": row(rate_hz=float("inf"), channel="ppg"),
    "rate -1": row(rate_hz=-1.0, channel="ppg"),
    "rate 1000.5": row(rate_hz=1000.5),
    "rate 99.0 of an ECG": row(rate_hz=99.0),
    "rate 0.0 of an ECG": row(rate_hz=0.0, samples=np.zeros(1, np.int16)),
    "scale nan": row(scale=float("nan")),
    "scale 0": row(scale=0.0),
    "offset inf": row(offset=float("inf")),
    "0 samples": row(samples=np.zeros(0, np.int16)),
    "65537 samples": row(samples=np.zeros(SAMPLES_MAX + 1, np.int16)),
    "2 samples at rate 0": row(channel="spo2", rate_hz=0.0, samples=np.zeros(2, np.int16)),
    "lasts": row(channel="weight", rate_hz=1e-300, samples=np.zeros(2, np.int16)),
    "sequence -2": row(sequence=-2),
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_one_bad_row_costs_itself_alone(reason: str) -> None:
    good = second()
    message = encode([good[0], BAD_ROWS[reason], *good[1:]])
    frames, malformed = decode([encode(good), message, encode(good)])
    assert same(rows_of(frames), good * 3)
    ((fault),) = malformed
    assert (fault.record, fault.row) == (1, 1)
    assert reason in fault.reason
    assert "message 1, row 1: " in str(fault)
    assert frames.record.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert frames.row.tolist() == [0, 1, 2, 0, 2, 3, 0, 1, 2]


def test_limits_themselves_are_valid() -> None:
    rows = [
        row(rate_hz=100.0),
        row(rate_hz=1000.0, samples=np.zeros(SAMPLES_MAX, np.int16)),
        row(patient="p" * 64, device=".", sequence=-1),
        row(channel="weight", rate_hz=1 / 86_400, samples=np.ones(1, np.int16)),
        row(channel="spo2", rate_hz=0.0, samples=np.full(1, MISSING, np.int16)),
    ]
    frames, malformed = decode([encode(rows)])
    assert malformed == []
    assert len(frames) == len(rows)


def test_text_that_is_no_utf8_costs_its_row_alone() -> None:
    message = encode([*second("good-1"), *second("bad-XY"), *second("good-2")])
    at = message.index(b"bad-XY")  # the first row of that patient
    broken = message[:at] + b"bad-\xc3\x28" + message[at + 6 :]
    frames, malformed = decode([broken])
    assert [(m.record, m.row) for m in malformed] == [(0, 3)]
    assert frames.row.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("column", ["patient", "start", "rate", "samples"])
def test_a_null_costs_its_row_alone(column: str) -> None:
    batch = wire.to_batch([*second(), *second()])
    fields = [pa.field(f.name, f.type) for f in SCHEMA]
    columns = list(batch.columns)
    at = SCHEMA.get_field_index(column)
    values = columns[at].to_pylist()
    values[4] = None
    columns[at] = pa.array(values, fields[at].type)
    message = wire.encode_batch(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))
    frames, malformed = decode([encode(second()), message])
    assert [(m.record, m.row) for m in malformed] == [(1, 4)]
    assert "null" in malformed[0].reason
    assert len(frames) == 8


def test_a_null_sample_costs_its_row_alone() -> None:
    item = pa.list_(pa.int16())
    fields = [f.with_type(item) if f.name == "samples" else f for f in SCHEMA]
    columns = list(wire.to_batch([row(), row()]).columns)
    columns[7] = pa.array([[1, 2, 3], [4, None]], item)
    message = wire.encode_batch(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))
    frames, malformed = decode([message])
    assert [(m.record, m.row) for m in malformed] == [(0, 1)]
    assert frames.samples.tolist() == [1, 2, 3]


def _as(name: str, dtype: pa.DataType) -> bytes:
    batch = wire.to_batch(second())
    at = SCHEMA.get_field_index(name)
    fields, columns = list(SCHEMA), list(batch.columns)
    columns[at] = columns[at].cast(dtype)
    fields[at] = pa.field(name, dtype)
    return wire.encode_batch(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))


def _compressed() -> bytes:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=options) as writer:
        writer.write_batch(wire.to_batch(second()))
    with pa.ipc.open_stream(sink.getvalue()):
        stream = sink.getvalue().to_pybytes()
    return bytes(stream[len(SCHEMA.serialize()) : -len(END)])


WHOLE = {
    "empty": b"",
    "text": b'{"patient": "p-01", "ecg": [1, 2, 3]}',
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "schema": SCHEMA.serialize().to_pybytes(),
    "end of stream": END * 8,
    "a whole stream": SCHEMA.serialize().to_pybytes() + encode(second()) + END,
    "batch and end": encode(second()) + END,
    "two batches": encode(second()) * 2,
    "end and batch": END + encode(second()),
    "no row": encode([]),
    "compressed": _compressed(),
    "truncated by 8": encode(second())[:-8],
    "truncated by 1": encode(second())[:-1],
    "8 too many": encode(second()) + bytes(8),
    "fewer columns": wire.encode_batch(wire.to_batch(second()).select(range(8))),
    "more columns": wire.encode_batch(
        wire.to_batch(second()).append_column("arrival", pa.array([1, 2, 3]))
    ),
    "samples of 32 bits": _as("samples", pa.list_(pa.int32())),
    "large lists": _as("samples", pa.large_list(pa.int16())),
    "large strings": _as("patient", pa.large_string()),
    "scale of 64 bits": _as("scale", pa.float64()),
    "rate of 32 bits": _as("rate", pa.float32()),
}


SAID = {
    "empty": "length 0",
    "text": "length 37",
    "zeros": "no Arrow IPC message",
    "schema": "no bare record batch",
    "two batches": "trailing bytes",
    "truncated by 8": "truncated",
    "no row": "no row",
    "compressed": "compressed",
    "more columns": "columns",
    "scale of 64 bits": "columns",
}


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_no_message_costs_itself_alone(kind: str) -> None:
    good = [encode(second(k=k)) for k in range(3)]
    frames, malformed = decode([good[0], WHOLE[kind], good[1], good[2]])
    assert [(m.record, m.row) for m in malformed] == [(1, -1)]
    assert SAID.get(kind, "") in malformed[0].reason
    expected, _ = decode(good)
    assert same(rows_of(frames), rows_of(expected))
    assert frames.record.tolist() == [0] * 3 + [2] * 3 + [3] * 3


def test_a_message_that_hides_another_shifts_nothing() -> None:
    """Two batches in one and an end mark in the next add up to two: each still is malformed."""
    frames, malformed = decode([encode(second()) * 2, END * 8, encode(second("p-02"))])
    assert [m.record for m in malformed] == [0, 1]
    assert {p for p, _, _ in frames.names} == {"p-02"}


def test_a_message_of_a_megabyte() -> None:
    rows = [row(samples=np.arange(10_000, dtype=np.int16), sequence=i) for i in range(53)]
    message = encode(rows)
    assert len(message) > 1_000_000
    frames, malformed = decode([message])
    assert malformed == []
    assert same(rows_of(frames), rows)


def test_columns_are_writable_and_our_own() -> None:
    frames, _ = decode([encode(second())])
    for name in ("start_ns", "rate_hz", "scale", "offset", "sequence", "samples", "first"):
        assert getattr(frames, name).flags.writeable, name


def test_many_bad_messages_among_many_good_ones() -> None:
    rng = np.random.default_rng(8)
    values, expected = [], []
    for i in range(1500):
        message = bytearray(encode([row(patient=f"p{i}")]))
        if rng.random() < 0.05:
            message[message.index(b"ecg.II")] = 0xC3
        else:
            expected.append(i)
        values.append(bytes(message))
    frames, malformed = decode(values)
    assert frames.record.tolist() == expected
    assert sorted([*expected, *(m.record for m in malformed)]) == list(range(1500))
    assert [f"p{i}" for i in expected] == [frames.names[n][0] for n in frames.name.tolist()]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((), "is missing"),
        ((("telesurv-frame", b"2"),), "is b'2'"),
        ((("telesurv-frame", b"1.0"),), "is b'1.0'"),
        ((("telesurv-frame", b""),), "is b''"),
    ],
)
def test_unknown_version_is_malformed(headers: Headers, said: str) -> None:
    fault = check_version(headers)
    assert fault is not None
    assert said in fault.reason
    assert "expected b'1'" in fault.reason


def test_our_version_is_known() -> None:
    assert check_version((("telesurv-mode", b"replay"), FRAME_HEADER)) is None
