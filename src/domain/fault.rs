//! Faults in what somebody asked for: each names its member and says what would be right.

use std::fmt;

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The member it is about, as the documents spell it, or `body`.
    pub member: String,
    /// What is wrong with it, to be read after the member's name.
    pub reason: String,
    /// What would be right, as a sentence.
    pub resolution: String,
}

impl Fault {
    /// A fault of `member`. `reason` reads after the member's name; `resolution` is a sentence.
    pub fn new(member: impl Into<String>, reason: impl Into<String>, resolution: impl Into<String>) -> Self {
        Self { member: member.into(), reason: reason.into(), resolution: resolution.into() }
    }
}

/// Everything that is wrong with a request. Never empty where it is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No fault yet.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Adds the faults of `other` whose member is not reported yet: a member of the wrong type is not
    /// reported as missing, too.
    pub fn merge(&mut self, other: Self) {
        for fault in other.0 {
            if !self.0.iter().any(|known| known.member == fault.member) {
                self.0.push(fault);
            }
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, in the order they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// `value` if nothing is wrong, else the faults.
    ///
    /// # Errors
    /// When there is a fault.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Takes the value out of `result`, or its fault in.
    pub fn take<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.push(fault)).ok()
    }

    /// Adds them to those of a whole array, as faults of its element at `index`; without one as they are.
    pub fn into_elements(self, index: Option<usize>, all: &mut Self) {
        for mut fault in self.0 {
            if let Some(index) = index {
                fault.member = format!("[{index}].{}", fault.member);
            }
            all.push(fault);
        }
    }

    /// How many faults, as a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.0.len() {
            1 => "1 fault was found in the request.".to_owned(),
            count => format!("{count} faults were found in the request."),
        }
    }

    /// What is wrong, each fault with its member.
    #[must_use]
    pub fn reasons(&self) -> String {
        self.join(|fault| format!("{} {}.", fault.member, fault.reason))
    }

    /// What would be right, each sentence once.
    #[must_use]
    pub fn resolutions(&self) -> String {
        let mut said = Vec::new();
        for fault in &self.0 {
            if !said.contains(&fault.resolution.as_str()) {
                said.push(fault.resolution.as_str());
            }
        }
        said.join(" ")
    }

    fn join(&self, sentence: impl Fn(&Fault) -> String) -> String {
        self.0.iter().map(sentence).collect::<Vec<_>>().join(" ")
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reasons())
    }
}

impl std::error::Error for Faults {}
