"""The generated code is what the compiler makes of metrics.proto, and that is the published schema."""

import subprocess
import sys
from pathlib import Path

import pytest
import wire

from pgw.formats import metrics_pb2 as pb

ROOT = Path(__file__).parents[2]
PROTO = "pgw/formats/metrics.proto"


@pytest.mark.parametrize("name", ["metrics_pb2.py", "metrics_pb2.pyi"])
def test_generating_again_gives_the_same_code(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*command, PROTO], cwd=ROOT, check=True)
    assert (tmp_path / "pgw/formats" / name).read_bytes() == (ROOT / "pgw/formats" / name).read_bytes()


def test_all_fields_have_their_published_numbers() -> None:
    family = wire.family("h", wire.HISTOGRAM, wire.label("x", "1") + wire.NATIVE, text_help=b"hi")
    message = pb.MetricFamily.FromString(family)
    histogram = message.metric[0].histogram

    assert (message.name, message.help, message.type) == (b"h", b"hi", 4)
    assert (message.metric[0].label[0].name, message.metric[0].label[0].value) == (b"x", b"1")
    assert (histogram.sample_count, histogram.sample_sum, histogram.schema) == (14, 1.5, 1)
    assert (histogram.zero_threshold, histogram.zero_count) == (1e-9, 1)
    assert [(span.offset, span.length) for span in histogram.positive_span] == [(0, 2), (3, 1)]
    assert [(span.offset, span.length) for span in histogram.negative_span] == [(2, 1)]
    assert (list(histogram.positive_delta), list(histogram.negative_delta)) == ([2, 1, 1], [4])
    assert (histogram.created_timestamp.seconds, histogram.created_timestamp.nanos) == (1700000001, 250)
    assert (histogram.exemplars[0].value, histogram.exemplars[0].label[0].value) == (0.5, b"x")
    assert message.SerializeToString() == family
