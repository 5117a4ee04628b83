"""From settings to a log: where Kafka is, with what security, under which names."""

from telesurv.settings import Settings
from telesurv_streams.log import Log, Misconfigured, Topic


def connect(settings: Settings) -> Log:
    """Return Kafka's log; it is asked for the first time when something is read or written.

    Raises
    ------
    Misconfigured
        Where the setting `bootstrap` is empty.
    """
    if not settings.bootstrap:
        raise Misconfigured(
            "setting bootstrap is empty: expected Kafka's address, host:port "
            "(--bootstrap, or TELESURV_BOOTSTRAP)"
        )
    from telesurv_streams.kafka import KafkaLog

    return KafkaLog(
        settings.bootstrap,
        namespace=f"{settings.namespace}." if settings.namespace else "",
        security=security(settings),
        in_flight_bytes_max=settings.in_flight_bytes,
    )


def security(settings: Settings) -> dict[str, str]:
    """Return how to authenticate and encrypt, in kafka-python's words."""
    options = {"security_protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.reveal(),
        }
    if settings.ssl_cafile and settings.security_protocol.endswith("SSL"):
        options["ssl_cafile"] = str(settings.ssl_cafile)
    return options


def topics_of(settings: Settings) -> tuple[Topic, ...]:
    """Return the topics as the service needs them."""
    from telesurv_streams.topics import topics

    return topics(settings.frame_partitions, settings.replication)
