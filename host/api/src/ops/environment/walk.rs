//! Newest first over many tenants, by bounded reads of one tenant each.
//!
//! Tenants are taken by id, a group at a time; within a group the tenants' own lists are merged. An environment with more
//! tenants than a group has goes on with the next one, so that nothing is left out and no page reads more than its bound.

use crate::call::Call;
use crate::page::PageAsk;
use crate::problem::Problem;
use railhead_model::TenantId;
use railhead_store::directory::Tenant;
use std::cmp::Reverse;
use std::str::FromStr;

/// Tenants of a group: with pages of 200 rows a request reads at most 10,000.
const GROUP: u32 = 50;

/// Where a list goes on: after this tenant, or within its group before this key. As a text: `tenant|key`, both optional.
#[derive(Clone, Debug, Default)]
struct Place<K> {
    after: Option<TenantId>,
    before: Option<K>,
}

impl<K: FromStr> FromStr for Place<K> {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (after, before) = text.split_once('|').ok_or(())?;
        let after = (!after.is_empty()).then(|| after.parse().map_err(|_| ())).transpose()?;
        let before = (!before.is_empty()).then(|| before.parse().map_err(|_| ())).transpose()?;
        Ok(Self { after, before })
    }
}

impl<K: ToString> Place<K> {
    fn text(&self) -> String {
        let after = self.after.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{after}|{}", self.before.as_ref().map(K::to_string).unwrap_or_default())
    }
}

/// The rows of this page's group, and how to go on.
pub struct Group<K> {
    place: Place<K>,
    /// Its tenants.
    pub tenants: Vec<Tenant>,
    more: bool,
    limit: usize,
}

/// What one tenant gave: rows with their keys, and where it would go on.
pub type Given<K, T> = (Vec<(K, T)>, Option<K>);

impl<K: FromStr + ToString + Copy + Ord> Group<K> {
    /// The group that a page begins in.
    ///
    /// # Errors
    /// 400 for a wrong cursor; the store's.
    pub async fn of(call: &Call, page: &PageAsk) -> Result<Self, Problem> {
        let place: Place<K> = page.after()?.unwrap_or(Place { after: None, before: None });
        let environment = call.environment()?.no;
        let mut tenants = call.state.store.tenants(environment, place.after.as_ref(), GROUP + 1).await?;
        let more = tenants.len() > GROUP as usize;
        tenants.truncate(GROUP as usize);
        Ok(Self { place, tenants, more, limit: page.limit as usize })
    }

    /// Where each tenant's rows begin.
    #[must_use]
    pub fn before(&self) -> Option<K> {
        self.place.before
    }

    /// Merges what each tenant gave. What a tenant has not looked at
    /// yet may be newer than others' rows, so nothing older than that is taken.
    #[must_use]
    pub fn merge<T>(&self, found: Vec<Given<K, T>>) -> (Vec<T>, Option<String>) {
        let floor = found.iter().filter_map(|(_, next)| *next).max();
        let mut rows: Vec<_> = found.into_iter().flat_map(|(rows, _)| rows).collect();
        rows.sort_by_key(|(key, _)| Reverse(*key));
        rows.retain(|(key, _)| floor.is_none_or(|floor| *key >= floor));
        let cut = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().map(|(key, _)| *key).filter(|_| cut);
        let next = match (last.or(floor), self.more) {
            (Some(before), _) => Some(Place { after: self.place.after.clone(), before: Some(before) }),
            (None, true) => Some(Place { after: self.tenants.last().map(|tenant| tenant.id.clone()), before: None }),
            (None, false) => None,
        };
        (rows.into_iter().map(|(_, row)| row).collect(), next.map(|place| place.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(limit: usize, more: bool) -> Group<u32> {
        Group { place: Place { after: None, before: None }, tenants: Vec::new(), more, limit }
    }

    fn rows(keys: &[u32]) -> Vec<(u32, u32)> {
        keys.iter().map(|key| (*key, *key)).collect()
    }

    #[test]
    fn nothing_is_taken_that_something_unseen_might_come_before() {
        let found = vec![(rows(&[9, 7]), Some(6)), (rows(&[8, 3]), None)];
        assert_eq!(group(10, false).merge(found.clone()), (vec![9, 8, 7], Some("|6".to_owned())));
        assert_eq!(group(2, false).merge(found), (vec![9, 8], Some("|8".to_owned())));
        let all = vec![(rows(&[2]), None), (rows(&[1]), None)];
        assert_eq!(group(10, false).merge(all.clone()), (vec![2, 1], None));
        assert_eq!(group(10, true).merge(all).1.as_deref(), Some("|"));
    }
}
