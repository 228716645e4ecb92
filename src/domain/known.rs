//! What an adapter must still know after a crash.

use super::{Epoch, GroupId};

/// What an adapter last knew of its group: must outlive a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The endpoint's address.
    pub endpoint: String,
    /// The group there.
    pub group: GroupId,
    /// The highest epoch known in that group.
    pub epoch: Option<Epoch>,
    /// Whether this adapter was Primary.
    pub was_primary: bool,
}
