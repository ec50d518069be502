-- Times are milliseconds since 1970 (UTC). 16-byte hashes are kept as uuid: fixed length, no header.
-- There are no foreign keys: rows of one delivery live in different partitions, and are dropped by the day.

CREATE TABLE meta (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE environment (
    no       int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL UNIQUE,
    settings json NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE api_key (
    id          uuid PRIMARY KEY,
    environment int,
    name        text NOT NULL,
    hash        bytea NOT NULL UNIQUE,
    scopes      text[] NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint,
    revoked     boolean NOT NULL
);

CREATE TABLE tenant (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment int NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text,
    metadata    json NOT NULL,
    limits      json NOT NULL,
    wrapped_key bytea NOT NULL,
    gen         bigint NOT NULL,
    revision    bigint NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    UNIQUE (environment, id)
);

CREATE SEQUENCE destination_no;

CREATE TABLE destination (
    no                bigint PRIMARY KEY,
    tenant            bigint NOT NULL,
    id                text COLLATE "C" NOT NULL,
    shard             smallint NOT NULL,
    spec              json NOT NULL,
    connector_version text NOT NULL,
    state             smallint NOT NULL,
    state_reason      text,
    health            json NOT NULL,
    revision          bigint NOT NULL,
    created_at        bigint NOT NULL,
    updated_at        bigint NOT NULL,
    UNIQUE (tenant, id)
);
CREATE INDEX destination_shard ON destination (shard, no);

CREATE TABLE credential (
    destination bigint NOT NULL,
    field       text COLLATE "C" NOT NULL,
    version     int NOT NULL,
    sealed      bytea NOT NULL,
    public      json NOT NULL,
    set_at      bigint NOT NULL,
    expires_at  bigint,
    PRIMARY KEY (destination, field, version)
);

CREATE TABLE event_type (
    environment int NOT NULL,
    name        text COLLATE "C" NOT NULL,
    body        json NOT NULL,
    revision    bigint NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (environment, name)
);

CREATE TABLE answer (
    scope   bytea PRIMARY KEY,
    request bytea NOT NULL,
    sealed  bytea NOT NULL,
    at      bigint NOT NULL
);
CREATE INDEX answer_at ON answer (at);

-- Insert-only. Every day's leaf has a unique index on idh of its own: uid is no part of it.
CREATE TABLE event (
    uid           uuid PRIMARY KEY,
    tenant        bigint NOT NULL,
    idh           uuid,
    digest        uuid NOT NULL,
    id            text NOT NULL,
    type          text NOT NULL,
    at            bigint NOT NULL,
    route         bytea NOT NULL,
    origin        smallint NOT NULL,
    head          bytea NOT NULL,
    payload       bytea,
    payload_bytes int NOT NULL
) PARTITION BY RANGE (uid);
CREATE INDEX event_tenant ON event (tenant, uid);
CREATE INDEX event_vendor ON event (tenant, id) WHERE idh IS NOT NULL;

-- Unfinished deliveries only: the one table that is updated and deleted from on the hot path.
CREATE TABLE work (
    event       uuid NOT NULL,
    destination bigint NOT NULL,
    run         int NOT NULL,
    tenant      bigint NOT NULL,
    due         bigint NOT NULL,
    attempts    int NOT NULL DEFAULT 0,
    tries       int NOT NULL DEFAULT 0,
    since       bigint,
    rev         int NOT NULL DEFAULT 0,
    lane        uuid,
    seq         bigint NOT NULL DEFAULT 0,
    origin      smallint NOT NULL,
    previous    int,
    job         uuid,
    made_at     bigint NOT NULL,
    PRIMARY KEY (event, destination, run)
) WITH (
    fillfactor = 90,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX work_due ON work (destination, due, event, run);
CREATE INDEX work_seq ON work (destination, seq) WHERE lane IS NOT NULL;
CREATE INDEX work_lane ON work (destination, lane, seq) WHERE lane IS NOT NULL;
CREATE INDEX work_job ON work (job) WHERE job IS NOT NULL;

-- Insert-only, written once, at the end; the last attempt is inline.
CREATE TABLE delivery (
    event             uuid NOT NULL,
    destination       bigint NOT NULL,
    run               int NOT NULL,
    tenant            bigint NOT NULL,
    state             smallint NOT NULL,
    code              text NOT NULL,
    attempts          int NOT NULL,
    tries             int NOT NULL,
    at                bigint NOT NULL,
    lane              uuid,
    origin            smallint NOT NULL,
    previous          int,
    job               uuid,
    made_at           bigint NOT NULL,
    n                 int,
    started_at        bigint,
    duration_ms       int,
    outcome           smallint,
    reason            text,
    message           text,
    status            text,
    connector_version text,
    config_revision   bigint,
    transcript        bytea,
    PRIMARY KEY (event, destination, run)
) PARTITION BY RANGE (event);
CREATE INDEX delivery_destination ON delivery (destination, event);
CREATE INDEX delivery_failed ON delivery (tenant, event) WHERE state <> 0;

-- Insert-only: every attempt but the one that ended its delivery.
CREATE TABLE attempt (
    event             uuid NOT NULL,
    destination       bigint NOT NULL,
    run               int NOT NULL,
    n                 int NOT NULL,
    started_at        bigint NOT NULL,
    duration_ms       int NOT NULL,
    outcome           smallint NOT NULL,
    reason            text NOT NULL,
    message           text NOT NULL,
    status            text,
    connector_version text NOT NULL,
    config_revision   bigint NOT NULL,
    transcript        bytea,
    PRIMARY KEY (event, destination, run, n)
) PARTITION BY RANGE (event);

-- What went over the wire for a whole batch, once; by the uid of its first event.
CREATE TABLE transcript (
    event       uuid NOT NULL,
    destination bigint NOT NULL,
    no          bigint NOT NULL,
    n           int NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (event, destination, no, n)
) PARTITION BY RANGE (event);

CREATE TABLE batch (
    destination bigint NOT NULL,
    no          bigint NOT NULL,
    events      uuid[] NOT NULL,
    runs        int[] NOT NULL,
    due         bigint NOT NULL,
    attempts    int NOT NULL,
    PRIMARY KEY (destination, no)
);

-- The last seq given out to each destination that keeps an order; its row's lock makes seq order commit order.
CREATE TABLE ordered (
    destination bigint PRIMARY KEY,
    seq         bigint NOT NULL
) WITH (fillfactor = 50);

-- An event with too many matches for its accept commit; `after` is the last destination that got its work row.
CREATE TABLE fanout (
    event  uuid PRIMARY KEY,
    tenant bigint NOT NULL,
    after  bigint NOT NULL,
    lanes  bytea NOT NULL
);

CREATE TABLE job (
    id          uuid PRIMARY KEY,
    tenant      bigint NOT NULL,
    filter      json NOT NULL,
    state       smallint NOT NULL,
    event       uuid NOT NULL,
    destination bigint NOT NULL,
    run         int NOT NULL,
    examined    bigint NOT NULL,
    created     bigint NOT NULL,
    created_at  bigint NOT NULL,
    ended_at    bigint
);
CREATE INDEX job_tenant ON job (tenant, id);
CREATE INDEX job_running ON job (id) WHERE state = 0;

CREATE TABLE host (
    id        uuid PRIMARY KEY,
    fenced    boolean NOT NULL,
    joined_at bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE host_lease (
    host    uuid PRIMARY KEY,
    expires bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE shard (
    no    smallint PRIMARY KEY,
    owner uuid,
    epoch bigint NOT NULL
);
INSERT INTO shard (no, owner, epoch) SELECT no, NULL, 0 FROM generate_series(0, 255) AS no;
