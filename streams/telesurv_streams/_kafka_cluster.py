"""Where a Kafka cluster is and how it is spoken to: what every client of ours shares."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import kafka.errors
from kafka.net.compat import KafkaNetClient

from telesurv_streams.log import LogUnavailable, Misconfigured

SECURITY_OPTIONS = frozenset(
    {
        "security_protocol",
        "sasl_mechanism",
        "sasl_plain_password",
        "sasl_plain_username",
        "ssl_cafile",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_crlfile",
        "ssl_keyfile",
        "ssl_password",
    }
)
"""The options of kafka-python that say how to authenticate and encrypt."""

RECORD_BYTES_MAX = 2 * 2**20
"""The largest record that any of our topics takes."""

Client = TypeVar("Client")


class Secret(str):
    """A word that kafka-python may use, and that its debug log shows as ***."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class Cluster:
    """A cluster's address, credentials and how patient one is with it."""

    bootstrap: tuple[str, ...]
    namespace: str = ""  # stands before every topic, group and transactional name
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        for name in self.security:
            if name not in SECURITY_OPTIONS:
                raise Misconfigured(
                    f"Kafka security option {name!r} is unknown, expected one of "
                    f"{', '.join(sorted(SECURITY_OPTIONS))}"
                )

    def connect(self, make: Callable[..., Client], **options: Any) -> Client:
        """Return a client of kafka-python, connected; `LogUnavailable` when none answers."""
        started = time.monotonic()
        secrets = {n: Secret(v) if isinstance(v, str) else v for n, v in self.security.items()}
        opened: list[KafkaNetClient] = []

        def open_(**settings: Any) -> KafkaNetClient:
            opened.append(KafkaNetClient(**settings))
            return opened[-1]

        try:
            return make(
                bootstrap_servers=list(self.bootstrap),
                bootstrap_timeout_ms=int(self.patience_s * 1000),
                client_id="telesurv",
                # Not half a minute: a broker that is back is to be found at once.
                reconnect_backoff_max_ms=2000,
                kafka_client=open_,
                **secrets,
                **options,
            )
        except (kafka.errors.KafkaError, OSError) as error:
            # A client that could not begin would leave its thread and sockets behind.
            for client in opened:
                client.close()
            if isinstance(error, kafka.errors.KafkaConfigurationError):
                raise Misconfigured(f"Kafka client: {error}") from error
            waited_s = time.monotonic() - started
            raise LogUnavailable(
                f"no Kafka at {', '.join(self.bootstrap)}, waited {waited_s:.1f} s "
                f"({type(error).__name__}); a wrong address, protocol, certificate, user or "
                "password all look like this"
            ) from error

    def failure(self, doing: str, error: BaseException, since_s: float) -> Exception:
        """Return what an error of kafka-python is to us; `since_s` is of the monotonic clock."""
        where = ", ".join(self.bootstrap)
        if isinstance(error, kafka.errors.AuthorizationError):
            return Misconfigured(f"Kafka at {where} does not allow {doing}: {error}")
        waited_s = time.monotonic() - since_s
        return LogUnavailable(
            f"Kafka at {where}: {doing} failed after {waited_s:.1f} s, "
            f"{type(error).__name__}: {error}"
        )
