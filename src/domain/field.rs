//! A member of a request, before any rule is applied.

/// A member of a request: left out, `null`, or there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// It was not in the body.
    #[default]
    Absent,
    /// It was `null`.
    Null,
    /// It had this value.
    Value(T),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The same field with its value changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Null => Field::Null,
            Self::Value(value) => Field::Value(change(value)),
        }
    }

    /// This field, or `stored` where it was left out.
    pub fn or(self, stored: Option<T>) -> Self {
        match (self, stored) {
            (Self::Absent, Some(stored)) => Self::Value(stored),
            (field, _) => field,
        }
    }
}
