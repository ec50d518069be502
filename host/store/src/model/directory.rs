//! Configuration, on the model.

use super::ModelCore;
use crate::StoreError;
use crate::directory::{
    ANSWER_KEPT_MS, Answer, Destination, Environment, EventType, Expect, Key, MAX_REORDERED, Standing, Tenant,
    sort_credentials,
};
use bytes::Bytes;
use railhead_model::{
    DestinationId, DestinationNo, End, EnvironmentNo, Ordering, ShardNo, TenantId, TenantNo, Timestamp,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

/// Environments, keys and small values.
impl ModelCore {
    /// See [`crate::Directory::meta`].
    ///
    /// # Errors
    /// None of its own, as of all reads here.
    pub fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.meta.get(name).cloned())
    }

    /// See [`crate::Directory::put_meta`].
    ///
    /// # Errors
    /// None of its own.
    pub fn put_meta(&mut self, name: &str, value: &[u8]) -> Result<Bytes, StoreError> {
        Ok(self.meta.entry(name.to_owned()).or_insert_with(|| Bytes::copy_from_slice(value)).clone())
    }

    /// See [`crate::Directory::replace_meta`].
    ///
    /// # Errors
    /// None of its own.
    pub fn replace_meta(&mut self, name: &str, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let found = self.meta.get_mut(name).filter(|found| ***found == *old);
        Ok(found.map(|found| *found = Bytes::copy_from_slice(new)).is_some())
    }

    /// See [`crate::Directory::environments`].
    ///
    /// # Errors
    /// None of its own.
    pub fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        Ok(self.environments.values().cloned().collect())
    }

    /// See [`crate::Directory::put_environment`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`].
    pub fn put_environment(&mut self, name: &str, settings: &Value, expect: Expect) -> Result<Environment, StoreError> {
        let found = self.environments.values().find(|environment| environment.name == name).cloned();
        let revision = expect.next(found.as_ref().map(|environment| environment.revision))?;
        let no = match found {
            Some(environment) => environment.no,
            None => EnvironmentNo(i32::try_from(self.environments.len()).unwrap_or(i32::MAX) + 1),
        };
        let environment = Environment { no, name: name.to_owned(), settings: settings.clone(), revision };
        self.environments.insert(no, environment.clone());
        for tenant in self.tenants.values_mut().filter(|tenant| tenant.environment == no) {
            tenant.generation += 1;
        }
        Ok(environment)
    }

    /// See [`crate::Directory::key_by_hash`].
    ///
    /// # Errors
    /// None of its own.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        Ok(self.keys.values().find(|key| key.hash == *hash).cloned())
    }

    /// See [`crate::Directory::put_key`].
    ///
    /// # Errors
    /// None of its own.
    pub fn put_key(&mut self, key: &Key) -> Result<(), StoreError> {
        let revoked = key.revoked || self.keys.get(&key.id).is_some_and(|found| found.revoked);
        self.keys.insert(key.id, Key { revoked, ..key.clone() });
        Ok(())
    }

    /// See [`crate::Directory::keys`].
    ///
    /// # Errors
    /// None of its own.
    pub fn keys(&self, environment: Option<EnvironmentNo>) -> Result<Vec<Key>, StoreError> {
        Ok(self.keys.values().rev().filter(|key| key.environment == environment).cloned().collect())
    }
}

/// Tenants.
impl ModelCore {
    /// See [`crate::Directory::tenant`].
    ///
    /// # Errors
    /// None of its own.
    pub fn tenant(&self, environment: EnvironmentNo, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let mut tenants = self.tenants.values();
        Ok(tenants.find(|tenant| tenant.environment == environment && tenant.id == *id).cloned())
    }

    /// See [`crate::Directory::tenant_by_no`].
    ///
    /// # Errors
    /// None of its own.
    pub fn tenant_by_no(&self, no: TenantNo) -> Result<Option<Tenant>, StoreError> {
        Ok(self.tenants.get(&no).cloned())
    }

    /// See [`crate::Directory::tenants_by_no`].
    ///
    /// # Errors
    /// None of its own.
    pub fn tenants_by_no(&self, nos: &[TenantNo]) -> Result<Vec<Tenant>, StoreError> {
        let nos: BTreeSet<_> = nos.iter().collect();
        Ok(nos.into_iter().filter_map(|no| self.tenants.get(no)).cloned().collect())
    }

    /// See [`crate::Directory::tenants`].
    ///
    /// # Errors
    /// None of its own.
    pub fn tenants(
        &self,
        environment: EnvironmentNo,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<Tenant>, StoreError> {
        let own = self.tenants.values().filter(|tenant| tenant.environment == environment);
        let mut page: Vec<_> = own.filter(|tenant| after.is_none_or(|after| tenant.id > *after)).cloned().collect();
        page.sort_by(|a, b| a.id.cmp(&b.id));
        page.truncate(limit as usize);
        Ok(page)
    }

    /// See [`crate::Directory::put_tenant`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`].
    pub fn put_tenant(&mut self, tenant: &Tenant, expect: Expect) -> Result<Tenant, StoreError> {
        let found = self.tenant(tenant.environment, &tenant.id)?;
        let revision = expect.next(found.as_ref().map(|found| found.revision))?;
        let mut stored = Tenant { revision, ..tenant.clone() };
        match found {
            Some(found) => {
                stored.no = found.no;
                stored.generation = found.generation + 1;
                stored.created_at = found.created_at;
                stored.wrapped_key = found.wrapped_key;
            }
            None => {
                stored.no = TenantNo(self.next_number());
                stored.generation = 1;
            }
        }
        self.tenants.insert(stored.no, stored.clone());
        Ok(stored)
    }

    /// See [`crate::Directory::delete_tenant`].
    ///
    /// # Errors
    /// None of its own.
    pub fn delete_tenant(&mut self, no: TenantNo) -> Result<bool, StoreError> {
        if self.tenants.remove(&no).is_none() {
            return Ok(false);
        }
        let waiting: Vec<_> = self.unfinished().filter(|row| row.tenant == no).map(|row| row.key).collect();
        for key in waiting {
            self.take_work(key);
        }
        let gone: Vec<_> = self.destinations(no)?.into_iter().map(|destination| destination.no).collect();
        for destination in gone {
            self.destinations.remove(&destination);
            self.batches.retain(|(owner, _), _| *owner != destination);
        }
        let events = &self.events;
        self.fanouts.retain(|uid, _| events.get(uid).is_some_and(|record| record.event.tenant != no));
        self.replays.retain(|_, record| record.replay.tenant != no);
        Ok(true)
    }

    /// See [`crate::Directory::replace_wrapped_key`].
    ///
    /// # Errors
    /// None of its own.
    pub fn replace_wrapped_key(&mut self, tenant: TenantNo, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let found = self.tenants.get_mut(&tenant).filter(|found| *found.wrapped_key == *old);
        Ok(found.map(|found| found.wrapped_key = Bytes::copy_from_slice(new)).is_some())
    }

    fn bump(&mut self, no: TenantNo) -> Result<(), StoreError> {
        let tenant = self.tenants.get_mut(&no).ok_or(StoreError::NotFound("tenant"))?;
        tenant.generation += 1;
        Ok(())
    }
}

/// Destinations.
impl ModelCore {
    /// See [`crate::Directory::destination`].
    ///
    /// # Errors
    /// None of its own.
    pub fn destination(&self, tenant: TenantNo, id: &DestinationId) -> Result<Option<Destination>, StoreError> {
        Ok(self.destinations.values().find(|found| found.tenant == tenant && found.id == *id).cloned())
    }

    /// See [`crate::Directory::destinations`].
    ///
    /// # Errors
    /// None of its own.
    pub fn destinations(&self, tenant: TenantNo) -> Result<Vec<Destination>, StoreError> {
        Ok(self.destinations.values().filter(|found| found.tenant == tenant).cloned().collect())
    }

    /// See [`crate::Directory::destinations_page`].
    ///
    /// # Errors
    /// None of its own.
    pub fn destinations_page(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        let upper = before.map_or(Unbounded, Excluded);
        let newest = self.destinations.range((Unbounded, upper)).rev().map(|(_, found)| found);
        Ok(newest.filter(|found| found.tenant == tenant).take(limit as usize).cloned().collect())
    }

    /// See [`crate::Directory::standings`].
    ///
    /// # Errors
    /// None of its own.
    pub fn standings(
        &self,
        tenant: TenantNo,
        before: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        let page = self.destinations_page(tenant, before, limit)?;
        Ok(page.into_iter().map(|one| Standing { no: one.no, state: one.state, health: one.health }).collect())
    }

    /// See [`crate::Directory::destinations_by_no`].
    ///
    /// # Errors
    /// None of its own.
    pub fn destinations_by_no(&self, nos: &[DestinationNo]) -> Result<Vec<Destination>, StoreError> {
        Ok(nos.iter().filter_map(|no| self.destinations.get(no)).cloned().collect())
    }

    /// See [`crate::Directory::destinations_of`].
    ///
    /// # Errors
    /// None of its own.
    pub fn destinations_of(
        &self,
        shards: &[ShardNo],
        after: Option<DestinationNo>,
        limit: u32,
    ) -> Result<Vec<Destination>, StoreError> {
        let lower = after.map_or(Unbounded, Excluded);
        let rest = self.destinations.range((lower, Unbounded)).filter(|(no, _)| shards.contains(&no.shard()));
        Ok(rest.take(limit as usize).map(|(_, destination)| destination.clone()).collect())
    }

    /// See [`crate::Directory::next_destination_no`].
    ///
    /// # Errors
    /// None of its own.
    pub fn next_destination_no(&mut self) -> Result<DestinationNo, StoreError> {
        Ok(DestinationNo(self.next_number()))
    }

    /// See [`crate::Directory::put_destination`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::NotFound`].
    pub fn put_destination(&mut self, destination: &Destination, expect: Expect) -> Result<Destination, StoreError> {
        if let Some(same) = self.destination(destination.tenant, &destination.id)?
            && same.no != destination.no
        {
            return Err(StoreError::Conflict("a destination with this id exists".to_owned()));
        }
        let found = self.destinations.get(&destination.no).cloned();
        let moved = |found: &Destination| found.tenant != destination.tenant || found.id != destination.id;
        if found.as_ref().is_some_and(moved) {
            return Err(StoreError::Conflict("this number belongs to another destination".to_owned()));
        }
        let revision = expect.next(found.as_ref().map(|found| found.revision))?;
        let orders = destination.spec.ordering != Ordering::None;
        let already = found.as_ref().is_some_and(|found| found.spec.ordering != Ordering::None);
        let many = orders && self.keys_of(destination.no).len() > MAX_REORDERED;
        if many && !already {
            return Err(StoreError::TooManyWaiting);
        }
        self.bump(destination.tenant)?;
        let mut stored = Destination { revision, ..destination.clone() };
        sort_credentials(&mut stored.credentials);
        if let Some(found) = &found {
            stored.created_at = found.created_at;
            stored.health = found.health.clone();
        }
        self.destinations.insert(stored.no, stored.clone());
        if orders && !many {
            self.give_lanes(stored.no);
        }
        Ok(stored)
    }

    /// What was made before the destination kept an order joins it, in one lane, in the order of its due times.
    fn give_lanes(&mut self, destination: DestinationNo) {
        for key in self.keys_of(destination) {
            let Some(mut waiting) = self.work.get(&key).filter(|waiting| waiting.row.lane.is_none()).cloned() else {
                continue;
            };
            waiting.row.lane = Some([0; 16]);
            waiting.row.seq = self.next_seq(destination);
            waiting.row.rev += 1;
            self.put_work(waiting);
        }
    }

    /// See [`crate::Directory::delete_destination`].
    ///
    /// # Errors
    /// None of its own.
    pub fn delete_destination(
        &mut self,
        tenant: TenantNo,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(found) = self.destination(tenant, id)? else { return Ok(false) };
        self.bump(tenant)?;
        self.destinations.remove(&found.no);
        self.batches.retain(|(owner, _), _| *owner != found.no);
        for key in self.keys_of(found.no) {
            self.end_work(key, End::Cancelled, "destination-deleted", now);
        }
        Ok(true)
    }
}

/// Event types and stored answers.
impl ModelCore {
    /// See [`crate::Directory::event_type`].
    ///
    /// # Errors
    /// None of its own.
    pub fn event_type(&self, environment: EnvironmentNo, name: &str) -> Result<Option<EventType>, StoreError> {
        Ok(self.event_types.get(&(environment, name.to_owned())).cloned())
    }

    /// See [`crate::Directory::event_types`].
    ///
    /// # Errors
    /// None of its own.
    pub fn event_types(
        &self,
        environment: EnvironmentNo,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<EventType>, StoreError> {
        let lower = (environment, after.unwrap_or_default().to_owned());
        let rest = self.event_types.range((Excluded(lower), Unbounded));
        let own = rest.take_while(|((of, _), _)| *of == environment);
        Ok(own.take(limit as usize).map(|(_, found)| found.clone()).collect())
    }

    /// See [`crate::Directory::put_event_type`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`].
    pub fn put_event_type(
        &mut self,
        environment: EnvironmentNo,
        name: &str,
        body: &Value,
        now: Timestamp,
        expect: Expect,
    ) -> Result<EventType, StoreError> {
        let key = (environment, name.to_owned());
        let revision = expect.next(self.event_types.get(&key).map(|found| found.revision))?;
        let stored = EventType { name: name.to_owned(), body: body.clone(), revision, updated_at: now };
        self.event_types.insert(key, stored.clone());
        Ok(stored)
    }

    /// See [`crate::Directory::delete_event_type`].
    ///
    /// # Errors
    /// None of its own.
    pub fn delete_event_type(&mut self, environment: EnvironmentNo, name: &str) -> Result<bool, StoreError> {
        Ok(self.event_types.remove(&(environment, name.to_owned())).is_some())
    }

    /// See [`crate::Directory::answer`].
    ///
    /// # Errors
    /// None of its own.
    pub fn answer(&self, scope: &[u8; 32], now: Timestamp) -> Result<Option<Answer>, StoreError> {
        let fresh = |(at, _): &&(Timestamp, Answer)| now.since(*at) < ANSWER_KEPT_MS;
        Ok(self.answers.get(scope).filter(fresh).map(|(_, answer)| answer.clone()))
    }

    /// See [`crate::Directory::put_answer`].
    ///
    /// # Errors
    /// None of its own.
    pub fn put_answer(&mut self, scope: &[u8; 32], answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
        self.answers.retain(|_, (at, _)| now.since(*at) < ANSWER_KEPT_MS);
        self.answers.entry(*scope).or_insert_with(|| (now, answer.clone()));
        Ok(())
    }
}
