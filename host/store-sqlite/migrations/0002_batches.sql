-- Bytes of the payload, so that a batch can be bounded by them; 0: made before they were counted.
ALTER TABLE work ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

-- What went over the wire for several deliveries at once, by the key that it is sealed for.
CREATE TABLE transcript (
    event BLOB NOT NULL,
    destination INTEGER NOT NULL,
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
CREATE UNIQUE INDEX transcript_key ON transcript (event, destination, run, n);

-- The key of the shared transcript; NULL: the transcript is the row's own.
ALTER TABLE attempt ADD COLUMN owner BLOB;
ALTER TABLE delivery ADD COLUMN owner BLOB;
