"""From settings to a log: which backend, with what security, under which names."""

from telesurv.settings import Settings
from telesurv_streams.log import Log, Misconfigured, Topic


def connect(settings: Settings) -> Log:
    """Return Kafka's log.

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

    raise AssertionError(KafkaLog)


def topics_of(settings: Settings) -> list[Topic]:
    """Return the topics as the service needs them."""
    from telesurv_streams.topics import topics

    found: list[Topic] = topics(settings.frame_partitions, settings.replication)
    return found
