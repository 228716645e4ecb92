//! What a Primary does when it loses its endpoint.

use std::fmt;

/// The endpoint-loss policy of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EndpointLoss {
    /// Step down where a buffer keeps everything (the mode Hot, and a destination of the egress gate), else keep
    /// the role: stopping would lose data.
    #[default]
    Auto,
    /// Step down when the lease ends: never two, perhaps a gap.
    StepDown,
    /// Keep the role, as the vendor's adapters do: no gap, perhaps two.
    KeepRole,
}

impl EndpointLoss {
    /// The policy's name, as it is written in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::StepDown => "step-down",
            Self::KeepRole => "keep-role",
        }
    }

    /// Reads a policy by its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::StepDown, Self::KeepRole].into_iter().find(|policy| policy.as_str() == text)
    }

    /// What it comes to, step down or keep the role, for one whose buffer keeps everything, or not.
    #[must_use]
    pub const fn in_force(self, buffered: bool) -> Self {
        if self.keeps_role(buffered) { Self::KeepRole } else { Self::StepDown }
    }

    /// Whether a Primary whose buffer keeps everything, or not, keeps its role past its lease.
    #[must_use]
    pub const fn keeps_role(self, buffered: bool) -> bool {
        match self {
            Self::Auto => !buffered,
            Self::KeepRole => true,
            Self::StepDown => false,
        }
    }
}

impl fmt::Display for EndpointLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
