-- Bytes of the payload, so that a batch can be bounded by them; 0: made before they were counted.
ALTER TABLE work ADD COLUMN bytes int NOT NULL DEFAULT 0;

-- A transcript that several attempts share is stored under the key that it is sealed for.
ALTER TABLE transcript RENAME COLUMN no TO run;

-- That key; NULL: the transcript is the row's own.
ALTER TABLE attempt ADD COLUMN owner bytea;
ALTER TABLE delivery ADD COLUMN owner bytea;
