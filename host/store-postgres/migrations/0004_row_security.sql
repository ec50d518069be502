-- What people read is read under a role that these policies bind, in a transaction that names one tenant. A query that
-- forgets its tenant, or asks for another's rows, finds nothing. Without a tenant nothing is seen at all.
--
-- The policies bind neither the tables' owner nor its members: hosts that accept and deliver are as fast as before, and
-- hosts of the last version go on beside this. Partitions have neither policies nor grants: they are read through their
-- tables only. The role and its grants are made by `railhead migrate` beside this file, because a role is of the whole
-- server and not of this database.

-- All at once, so that the wait for all of them together is bounded.
LOCK TABLE ONLY tenant, ONLY destination, ONLY credential, ONLY event, ONLY work, ONLY delivery, ONLY attempt,
    ONLY transcript, ONLY fanout, ONLY job IN ACCESS EXCLUSIVE MODE;

CREATE FUNCTION railhead_tenant() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('railhead.tenant', true), '')::bigint;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant FOR SELECT USING (no = railhead_tenant());

ALTER TABLE destination ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON destination FOR SELECT USING (tenant = railhead_tenant());

ALTER TABLE event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON event FOR SELECT USING (tenant = railhead_tenant());

ALTER TABLE work ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON work FOR SELECT USING (tenant = railhead_tenant());

ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON delivery FOR SELECT USING (tenant = railhead_tenant());

ALTER TABLE fanout ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON fanout FOR SELECT USING (tenant = railhead_tenant());

ALTER TABLE job ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON job FOR SELECT USING (tenant = railhead_tenant());

-- These have no tenant of their own. A scalar comparison is probed row by row by the key; EXISTS might be hashed, over
-- all of a tenant's events.
ALTER TABLE credential ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON credential FOR SELECT
    USING ((SELECT d.tenant FROM destination d WHERE d.no = credential.destination) = railhead_tenant());

ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON attempt FOR SELECT
    USING ((SELECT e.tenant FROM event e WHERE e.uid = attempt.event) = railhead_tenant());

ALTER TABLE transcript ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON transcript FOR SELECT
    USING ((SELECT e.tenant FROM event e WHERE e.uid = transcript.event) = railhead_tenant());
