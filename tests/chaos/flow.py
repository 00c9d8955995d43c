"""A steady flow of events whose every alert and dead letter is known beforehand."""

from __future__ import annotations

import json
import threading
import time

from confluent_kafka import Producer

PARTITIONS = 4
# Primes, so that alerts and broken records fall on every partition.
ALERT_EVERY = 97
BROKEN_EVERY = 1009
RULE = {"large": "amount > 1000"}


def record(number: int) -> bytes:
    """Return the record with this number; it lies in partition `number % PARTITIONS`."""
    if is_broken(number):
        return b"broken %d" % number
    amount = 5000.0 if number % ALERT_EVERY == 0 else 10.0
    return json.dumps({"id": str(number), "user_id": f"u{number % 50}", "amount": amount}).encode()


def is_alert(number: int) -> bool:
    """Whether the record with this number matches the rule."""
    return number % ALERT_EVERY == 0 and not is_broken(number)


def is_broken(number: int) -> bool:
    """Whether the record with this number is no event."""
    return number % BROKEN_EVERY == BROKEN_EVERY - 1


def number_at(partition: int, offset: int) -> int:
    """Return the number of the record that lies there, as long as the topic was never cut or made anew."""
    return offset * PARTITIONS + partition


class Flow(threading.Thread):
    """Sends records at a rate until told to stop; an outage of the broker is waited for, nothing is sent twice.

    Args:
        rate: Records per second.
    """

    def __init__(self, bootstrap_servers: str, topic: str, rate: int) -> None:
        super().__init__(name="flow", daemon=True)
        self._topic = topic
        self._rate = rate
        self._ended = threading.Event()
        self._refused: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                # In order and once each, also when the broker goes away between a record and its confirmation.
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "reconnect.backoff.max.ms": 500,
                "linger.ms": 1,
                "log_level": 0,
            }
        )
        self.sent = 0

    def run(self) -> None:
        """Send until stopped."""
        began = time.monotonic()
        while not self._ended.is_set():
            due = int((time.monotonic() - began) * self._rate)
            while self.sent < due:
                number = self.sent
                self._producer.produce(
                    self._topic, record(number), partition=number % PARTITIONS, on_delivery=self._confirmed
                )
                self.sent += 1
            self._producer.poll(0)
            time.sleep(0.002)

    def _confirmed(self, error: object, _message: object) -> None:
        if error is not None:
            self._refused.append(str(error))

    def stop(self) -> int:
        """Stop, wait until the broker has confirmed everything, and return how many records there are."""
        self._ended.set()
        self.join(30)
        left = self._producer.flush(120)
        assert left == 0, f"{left} records are not confirmed"
        assert not self._refused, self._refused[:3]
        return self.sent
