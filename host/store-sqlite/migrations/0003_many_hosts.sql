-- When a shard's last three owners died, the newest first; 0: none did.
ALTER TABLE shard ADD COLUMN died1 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN died2 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN died3 INTEGER NOT NULL DEFAULT 0;

-- Hosts that put the start of an attempt on record which nobody brought to an end: how many, of the attempt after how
-- many tries, and the last of them.
ALTER TABLE work ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE work ADD COLUMN starts_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE work ADD COLUMN starts_by BLOB;
