"""The tables of the stand-ins' file. UNIQUE on `money` is the stand-in's own guard against booking twice."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    customer TEXT NOT NULL DEFAULT '', parent TEXT NOT NULL DEFAULT '', created INTEGER NOT NULL,
    body TEXT NOT NULL, private TEXT NOT NULL,
    UNIQUE (provider, kind, id)
);
CREATE INDEX IF NOT EXISTS things_kind ON things (provider, kind, seq);
CREATE INDEX IF NOT EXISTS things_customer ON things (provider, kind, customer, seq);
CREATE INDEX IF NOT EXISTS things_invoice ON things (provider, kind, json_extract(body, '$.metadata."invoice"'), seq);
CREATE INDEX IF NOT EXISTS things_parent ON things (provider, kind, parent, seq);

CREATE TABLE IF NOT EXISTS money (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, kind TEXT NOT NULL, object_id TEXT NOT NULL, at INTEGER NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, customer TEXT NOT NULL, invoice TEXT NOT NULL,
    payment TEXT NOT NULL, fee INTEGER NOT NULL, metadata TEXT NOT NULL, key TEXT NOT NULL,
    CHECK (kind IN ('charge', 'refund', 'refund_failed', 'dispute', 'dispute_won', 'return')),
    CHECK ((kind IN ('charge', 'refund_failed', 'dispute_won')) = (amount > 0) AND amount <> 0),
    UNIQUE (provider, kind, object_id)
);
CREATE INDEX IF NOT EXISTS money_payment ON money (provider, payment);

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL,
    object_id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (provider, id)
);
CREATE INDEX IF NOT EXISTS events_object ON events (provider, object_id);

CREATE TABLE IF NOT EXISTS endpoints (
    provider TEXT NOT NULL, id TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, types TEXT NOT NULL,
    "on" INTEGER NOT NULL,
    UNIQUE (provider, id)
);

-- state: waiting, done, failed (given up), dropped (by plan). place: the order in which waiting ones go out.
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL, event_id TEXT NOT NULL, endpoint_id TEXT NOT NULL,
    state TEXT NOT NULL, due REAL NOT NULL, place REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    forged TEXT NOT NULL DEFAULT '', twin INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (state, due, place);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (provider, event_id);

CREATE TABLE IF NOT EXISTS keys (
    provider TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL, body BLOB NOT NULL, headers TEXT NOT NULL,
    PRIMARY KEY (provider, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
