#!/usr/bin/env bash
# The Python SDK's AMQP binding cuts an event's time to milliseconds, its bindings for HTTP and RabbitMQ keep it: the
# same event, sent once by each, has two times. The integer it writes is no AMQP timestamp either, once a client of
# AMQP 0-9-1 sends it: the SDK's own RabbitMQ binding cannot read it.
#
# Seen with cloudevents 2.2.0. Needs Python 3 and pip only.
#
# Ends with 0 while that is so, with another code if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" cloudevents==2.2.0 2> "$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }
PYTHONPATH=$folder python3 - <<'PYTHON'
from datetime import datetime, timezone

from cloudevents.core.bindings import amqp, http, rabbitmq
from cloudevents.core.v1.event import CloudEvent

at = datetime(2026, 11, 20, 3, 5, 54, 580807, tzinfo=timezone.utc)
event = CloudEvent({"type": "t", "source": "s", "id": "1", "time": at}, {"a": 1})
for binding in (http, rabbitmq):
    read = binding.from_binary_event(binding.to_binary_event(event))
    assert read.get_attributes()["time"] == at, read.get_attributes()
message = amqp.to_binary_event(event)
sent = message.application_properties["cloudEvents_time"]
assert sent == 1795143954580, sent
read = amqp.from_binary_event(message).get_attributes()["time"]
assert read == at.replace(microsecond=580000), read

headers = {name.replace("cloudEvents_", "ce-"): value for name, value in message.application_properties.items()}
try:
    rabbitmq.from_binary_event(rabbitmq.RabbitMQMessage(headers, "application/json", message.application_data))
    raise AssertionError("the RabbitMQ binding reads an integer as a time")
except TypeError:
    pass
print("still so:", at.isoformat(), "is sent as", sent, "by the AMQP binding")
PYTHON
