"""The example in streams/README.md writes what our decoder reads."""

import re
from pathlib import Path
from typing import Any

from telesurv_streams.frame import SCHEMA
from telesurv_streams.wire import check_version, decode

README = Path(__file__).parents[2] / "streams" / "README.md"


def test_the_example_of_the_wire_format() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    made: dict[str, Any] = {}
    exec(compile(code, str(README), "exec"), made)
    assert made["SCHEMA"].equals(SCHEMA)
    assert check_version(tuple(made["headers"])) is None
    frames, malformed = decode([made["value"]])
    assert malformed == []
    assert frames.names == [("p-07", "belt.12", "ecg.II"), ("p-07", "clip.3", "spo2")]
    assert frames.samples[:250].tolist() == made["ecg"].tolist()
    assert frames.samples[250:].tolist() == [97]
    assert frames.sequence.tolist() == [41, 12]


def test_a_stream_cut_as_the_page_says_is_a_message() -> None:
    """What any language can do that writes streams alone."""
    import pyarrow as pa

    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    made: dict[str, Any] = {}
    exec(compile(code, str(README), "exec"), made)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_pydict(made["rows"], SCHEMA))
    stream = sink.getvalue().to_pybytes()
    schema_bytes = len(SCHEMA.serialize())
    assert stream[schema_bytes:-8] == made["value"]
