"""Old and new names of the semantic conventions: which attribute is meant, whoever recorded it.

Instrumentations still send the names of 2021 by default (`http.method`, `db.statement`) and the stable ones on demand.
Rows know only the new ones. (opentelemetry.io/docs/specs/semconv: "HTTP", "Database" and "Code" migration guides.)
"""

from typing import Final

from e2edebug.policy import attributes

_EVERYWHERE: Final = {
    "http.method": "http.request.method",
    "http.status_code": "http.response.status_code",
    "http.url": "url.full",
    "http.scheme": "url.scheme",
    "http.user_agent": "user_agent.original",
    "http.flavor": "network.protocol.version",
    "http.client_ip": "client.address",
    "http.request_content_length": "http.request.body.size",
    "http.response_content_length": "http.response.body.size",
    "http.server_name": "server.address",
    "net.transport": "network.transport",
    "db.system": "db.system.name",
    "db.statement": "db.query.text",
    "db.operation": "db.operation.name",
    "db.sql.table": "db.collection.name",
    "db.mongodb.collection": "db.collection.name",
    "db.cassandra.table": "db.collection.name",
    "db.name": "db.namespace",
    "db.redis.database_index": "db.namespace",
    "messaging.destination": "messaging.destination.name",
    "messaging.operation": "messaging.operation.name",
    "messaging.message_id": "messaging.message.id",
    "rpc.system": "rpc.system.name",
    "code.function": "code.function.name",
    "code.filepath": "code.file.path",
    "code.lineno": "code.line.number",
    "user.id": attributes.USER_ID,
}

NEW_NAMES: Final = _EVERYWHERE | {
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
    "net.peer.ip": "network.peer.address",
    "net.sock.peer.addr": "network.peer.address",
    "net.sock.peer.port": "network.peer.port",
}
"""Old name to new one, on spans that are not answers to a request."""

NEW_NAMES_ON_SERVERS: Final = _EVERYWHERE | {
    "http.host": "server.address",
    "net.host.name": "server.address",
    "net.host.port": "server.port",
    "net.peer.name": "client.address",
    "net.peer.ip": "client.address",
    "net.peer.port": "client.port",
    "net.sock.peer.addr": "client.address",
    "net.sock.peer.port": "client.port",
    "network.peer.address": "client.address",
    "network.peer.port": "client.port",
    "client.socket.address": "client.address",
}
"""Old name to new one where the peer is the client: its address is a person's."""

CLIENT_ADDRESS: Final = "client.address"

TARGET: Final = "http.target"
"""Old: path and query string in one."""

COLUMN_FACTS: Final = frozenset(
    {
        attributes.CORRELATION_ID,
        attributes.LAYER,
        attributes.COMPONENT,
        attributes.OPERATION,
        attributes.METADATA,
        attributes.PENDING,
        attributes.SKIPPED,
        attributes.WORKFLOW_TYPE,
        attributes.WORKFLOW_STATUS,
        attributes.WORKFLOW_PARENT,
        attributes.WORKFLOW_METADATA,
        attributes.USER_ID,
        attributes.USER_LABEL,
        attributes.SESSION_KEY,
        attributes.STATEMENT_DIGEST,
        attributes.ERROR_SEVERITY,
        "db.query.text",
        "code.file.path",
        "code.line.number",
        "code.function.name",
    }
)
"""Attributes that become columns of a row, or decide over them: they are not repeated in its metadata."""

MAPPING_FACTS: Final = frozenset(
    {
        attributes.CORRELATION_ID_RECEIVED,
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "url.path",
        "url.full",
        "user_agent.original",
        CLIENT_ADDRESS,
        "server.address",
        "network.peer.address",
        "peer.service",
        "db.system.name",
        "db.operation.name",
        "db.collection.name",
        "db.namespace",
        "cache.system",
        "cache.backend",
        "cache.alias",
        "cache.operation",
        "cache.key",
        "cache.hit",
        "rpc.system.name",
        "rpc.service",
        "rpc.method",
        "messaging.system",
        "messaging.destination.name",
        "messaging.operation.name",
        "code.namespace",
        "next.route",
        "next.span_name",
        "next.span_type",
    }
)
"""Attributes that the mapping reads, and that stay in the metadata."""

SHOWN_ALONE: Final = frozenset({"cache.hit", "cache.key", "user_agent.original"})
"""Of those, the ones that only others read than what finds a step's columns."""
