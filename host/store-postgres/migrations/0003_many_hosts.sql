-- Since when a lease has run unbroken: only such a host fences others. 0: of a host that does not know of it.
ALTER TABLE host_lease ADD COLUMN since bigint NOT NULL DEFAULT 0;

-- When a shard's last three owners died, the newest first; 0: none did.
ALTER TABLE shard ADD COLUMN died1 bigint NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN died2 bigint NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN died3 bigint NOT NULL DEFAULT 0;

-- Hosts that put the start of an attempt on record which nobody brought to an end: how many, of the attempt after how
-- many tries, and the last of them.
ALTER TABLE work ADD COLUMN starts smallint NOT NULL DEFAULT 0;
ALTER TABLE work ADD COLUMN starts_tries int NOT NULL DEFAULT 0;
ALTER TABLE work ADD COLUMN starts_by uuid;
