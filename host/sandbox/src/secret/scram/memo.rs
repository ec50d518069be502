//! Salted passwords of one edition of a destination: a session that logs in again does not pay for them again.

use super::mechanism::Mechanism;
use crate::secret::Secret;
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Salted passwords that are kept: a destination has one, while a rotation overlaps two, and a cluster may salt by node.
const MAX_KEPT: usize = 8;

/// What a password is salted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Salt {
    pub(super) mechanism: Mechanism,
    pub(super) bytes: Vec<u8>,
    pub(super) iterations: u32,
}

impl Salt {
    /// `SaltedPassword` of RFC 5802. Takes up to a tenth of a second of CPU.
    pub(crate) fn password(&self, user: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let iterations = NonZeroU32::new(self.iterations).unwrap_or(NonZeroU32::MIN);
        self.mechanism.salted(&self.mechanism.prepared(user, password), &self.bytes, iterations)
    }
}

/// See the module. Each is zeroed when nobody uses it any more.
#[derive(Default)]
pub(crate) struct Memo {
    /// The newest last.
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    password: Arc<Secret>,
    user: String,
    salt: Salt,
    salted: Arc<Zeroizing<Vec<u8>>>,
}

impl Memo {
    /// One that was kept.
    pub(crate) fn find(&self, password: &Arc<Secret>, user: &str, salt: &Salt) -> Option<Arc<Zeroizing<Vec<u8>>>> {
        let same = |kept: &&Kept| Arc::ptr_eq(&kept.password, password) && kept.user == user && kept.salt == *salt;
        self.lock().iter().find(same).map(|kept| kept.salted.clone())
    }

    /// Keeps one, in the place of the oldest.
    pub(crate) fn keep(
        &self,
        password: &Arc<Secret>,
        user: &str,
        salt: &Salt,
        salted: Zeroizing<Vec<u8>>,
    ) -> Arc<Zeroizing<Vec<u8>>> {
        let salted = Arc::new(salted);
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT {
            kept.pop_front();
        }
        let (password, user, salt) = (password.clone(), user.to_owned(), salt.clone());
        kept.push_back(Kept { password, user, salt, salted: salted.clone() });
        salted
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memo({})", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railhead_model::manifest::{CredentialKind, CredentialUse};

    #[test]
    fn the_newest_are_kept_each_for_its_own_password_and_salt() {
        let secret =
            || Secret::parse("password", CredentialKind::Text, CredentialUse::Challenge, &[], b"pencil").unwrap();
        let salt = |number: u8| Salt { mechanism: Mechanism::Sha256, bytes: vec![number], iterations: 4_096 };
        let (memo, password) = (Memo::default(), secret());
        let kept = memo.keep(&password, "user", &salt(0), Zeroizing::new(vec![1]));
        let found = memo.find(&password, "user", &salt(0)).unwrap();
        assert!(Arc::ptr_eq(&kept, &found));
        let other = Salt { iterations: 4_097, ..salt(0) };
        for (password, user, salt) in [
            (&secret(), "user", salt(0)),
            (&password, "other", salt(0)),
            (&password, "user", salt(1)),
            (&password, "user", other),
        ] {
            assert!(memo.find(password, user, &salt).is_none(), "{user} {salt:?}");
        }
        for number in 1..=8 {
            memo.keep(&password, "user", &salt(number), Zeroizing::new(vec![number]));
        }
        assert_eq!(format!("{memo:?}"), "Memo(8)");
        assert!(memo.find(&password, "user", &salt(0)).is_none() && memo.find(&password, "user", &salt(8)).is_some());
    }
}
