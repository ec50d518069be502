-- Numbers are given once and never again.
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES ('tenant', 0), ('destination', 0), ('environment', 0);

CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE environment (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    revision INTEGER NOT NULL
);

CREATE TABLE api_key (
    id BLOB PRIMARY KEY,
    environment INTEGER, -- NULL: the administrator's
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tenant (
    no INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    metadata TEXT NOT NULL,
    limits TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    generation INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (environment, id)
);

CREATE TABLE destination (
    no INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    id TEXT NOT NULL,
    spec TEXT NOT NULL,
    ordered INTEGER NOT NULL, -- 1: its deliveries carry lanes
    connector_version TEXT NOT NULL,
    state INTEGER NOT NULL,
    state_reason TEXT,
    health TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant, id)
);
CREATE INDEX destination_shard ON destination (shard, no);

CREATE TABLE credential (
    destination INTEGER NOT NULL,
    field TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    public TEXT NOT NULL,
    set_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (destination, field, version)
) WITHOUT ROWID;

CREATE TABLE event_type (
    environment INTEGER NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (environment, name)
) WITHOUT ROWID;

CREATE TABLE answer (
    scope BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    request BLOB NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX answer_at ON answer (at);

-- History: written once. The payload stands last, so that lists do not read it.
CREATE TABLE event (
    uid BLOB NOT NULL UNIQUE,
    tenant INTEGER NOT NULL,
    day INTEGER NOT NULL,
    idh BLOB,
    digest BLOB NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    route BLOB NOT NULL,
    deliveries INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    payload_bytes INTEGER NOT NULL,
    head BLOB NOT NULL,
    payload BLOB -- NULL: erased
);
CREATE UNIQUE INDEX event_idh ON event (day, idh) WHERE idh IS NOT NULL;
CREATE INDEX event_tenant ON event (tenant, uid);
CREATE INDEX event_id ON event (tenant, id, uid) WHERE idh IS NOT NULL;

-- The queue: unfinished deliveries only, the one table that is updated and deleted on the hot path.
CREATE TABLE work (
    event BLOB NOT NULL,
    destination INTEGER NOT NULL,
    run INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    since INTEGER,
    rev INTEGER NOT NULL,
    lane BLOB,
    seq INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    previous INTEGER,
    job BLOB,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (event, destination, run)
) WITHOUT ROWID;
CREATE INDEX work_due ON work (destination, due, event, run);
CREATE INDEX work_seq ON work (destination, seq) WHERE lane IS NOT NULL;
CREATE INDEX work_job ON work (job) WHERE job IS NOT NULL;

-- Ended deliveries, with their last attempt inline.
CREATE TABLE delivery (
    event BLOB NOT NULL,
    destination INTEGER NOT NULL,
    run INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    state INTEGER NOT NULL,
    code TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    at INTEGER NOT NULL,
    lane BLOB,
    origin INTEGER NOT NULL,
    previous INTEGER,
    job BLOB,
    made_at INTEGER NOT NULL,
    n INTEGER, -- NULL: it ended without an attempt; earlier ones are in `attempt`
    started_at INTEGER,
    duration_ms INTEGER,
    outcome INTEGER,
    reason_code TEXT,
    message TEXT,
    status TEXT,
    connector_version TEXT,
    config_revision INTEGER,
    transcript BLOB
);
CREATE UNIQUE INDEX delivery_key ON delivery (event, destination, run);
CREATE INDEX delivery_destination ON delivery (destination, event);
CREATE INDEX delivery_failed ON delivery (tenant, event) WHERE state <> 0;

-- Every attempt but the last.
CREATE TABLE attempt (
    event BLOB NOT NULL,
    destination INTEGER NOT NULL,
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    reason_code TEXT NOT NULL,
    message TEXT NOT NULL,
    status TEXT,
    connector_version TEXT NOT NULL,
    config_revision INTEGER NOT NULL,
    transcript BLOB
);
CREATE UNIQUE INDEX attempt_key ON attempt (event, destination, run, n);

-- The last seq given in each order.
CREATE TABLE ordered (destination INTEGER PRIMARY KEY, seq INTEGER NOT NULL);

CREATE TABLE batch (
    destination INTEGER NOT NULL,
    number INTEGER NOT NULL,
    members TEXT NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (destination, number)
) WITHOUT ROWID;

-- Events above the direct limit whose deliveries are not all made yet.
CREATE TABLE fanout (
    event BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    lanes BLOB NOT NULL, -- (destination, lane) pairs of 8 and 16 bytes
    cursor INTEGER -- the last destination made
) WITHOUT ROWID;

CREATE TABLE replay (
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    filter TEXT NOT NULL,
    state INTEGER NOT NULL,
    examined INTEGER NOT NULL,
    created INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    cursor_event BLOB,
    cursor_destination INTEGER,
    cursor_run INTEGER
) WITHOUT ROWID;
CREATE INDEX replay_tenant ON replay (tenant, id);
CREATE INDEX replay_running ON replay (id) WHERE state = 0;

CREATE TABLE host (id BLOB PRIMARY KEY, expires INTEGER NOT NULL, fenced INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE shard (no INTEGER PRIMARY KEY, owner BLOB, epoch INTEGER NOT NULL);
WITH RECURSIVE nos (no) AS (VALUES (0) UNION ALL SELECT no + 1 FROM nos WHERE no < 255)
INSERT INTO shard (no, owner, epoch) SELECT no, NULL, 0 FROM nos;
