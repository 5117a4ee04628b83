"""What an operator gets wrong: nobody answers, an option is unknown; and no secret is told."""

import logging
import time
import traceback

import pytest

from kafka_broker import free_ports
from telesurv_streams.kafka import KafkaLog
from telesurv_streams.log import LogUnavailable, Misconfigured

SECURITY = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "worker",
    "sasl_plain_password": "hunter2-swordfish",
}


def test_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bootstrap = f"127.0.0.1:{free_ports(1)[0]}"
    log = KafkaLog(bootstrap, security=SECURITY, patience_s=0.7)
    started = time.monotonic()
    with pytest.raises(LogUnavailable, match=rf"no Kafka at {bootstrap}, waited 0\.[67]") as caught:
        log.partitions("frames")
    assert time.monotonic() - started < 2.0
    with pytest.raises(LogUnavailable):
        log.sink()
    told = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(vars(log))
    assert "worker" not in repr(vars(log))
    assert "swordfish" not in told
    assert "Starting KafkaAdminClient" in caplog.text  # where kafka-python would tell it


def test_an_unknown_security_option() -> None:
    with pytest.raises(Misconfigured, match="'sasl_password' is unknown, expected one of sasl_"):
        KafkaLog("localhost", security={"sasl_password": "x"})
