//! A call to the endpoint that failed: how, and what to do about it.

use std::time::Duration;

use super::Reason;

words! {
    /// How a call to the endpoint failed.
    FailureKind {
        /// The connection could not be made, or broke.
        Unreachable,
        /// No whole answer arrived in time.
        TimedOut,
        /// TLS failed.
        Certificate,
        /// 3xx.
        Redirected,
        /// The answer was larger than allowed.
        TooLarge,
        /// The answer was no JSON of the documented shape.
        BadAnswer,
        /// 401.
        Unauthorized,
        /// 403.
        Forbidden,
        /// 404.
        NotFound,
        /// 409.
        Conflict,
        /// 429.
        TooManyRequests,
        /// 5xx.
        ServerError,
        /// Any other refusal.
        Refused,
        /// The token endpoint failed.
        TokenFailed,
    }
}

impl FailureKind {
    /// The reason that history gives for it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unreachable => Reason::Unreachable,
            Self::TimedOut => Reason::TimedOut,
            Self::Certificate => Reason::Certificate,
            Self::Redirected => Reason::Redirected,
            Self::TooLarge => Reason::TooLarge,
            Self::BadAnswer => Reason::BadAnswer,
            Self::Unauthorized => Reason::Unauthorized,
            Self::Forbidden => Reason::Forbidden,
            Self::NotFound => Reason::NotFound,
            Self::Conflict => Reason::Conflict,
            Self::TooManyRequests => Reason::TooManyRequests,
            Self::ServerError => Reason::ServerError,
            Self::Refused => Reason::Refused,
            Self::TokenFailed => Reason::TokenFailed,
        }
    }

    /// Whether the endpoint itself must have answered. A fault (5xx), a redirect or an answer that
    /// makes no sense may come from something in front of an endpoint that is gone.
    #[must_use]
    pub const fn is_an_answer(self) -> bool {
        match self {
            Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::TooManyRequests
            | Self::Refused => true,
            Self::Unreachable
            | Self::TimedOut
            | Self::Certificate
            | Self::Redirected
            | Self::TooLarge
            | Self::BadAnswer
            | Self::ServerError
            | Self::TokenFailed => false,
        }
    }

    /// Whether asking again a moment later may help. Where it may not (a login that was refused),
    /// asking often could lock an account.
    #[must_use]
    pub const fn may_pass_soon(self) -> bool {
        match self {
            Self::Unreachable | Self::TimedOut | Self::TooLarge | Self::BadAnswer | Self::ServerError => true,
            Self::Certificate
            | Self::Redirected
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::TooManyRequests
            | Self::Refused
            | Self::TokenFailed => false,
        }
    }

    /// What to do about it, where nothing better is known: a sentence without its full stop.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "See to it that the endpoint runs and that Endpoint is its address; look at names, routes and firewalls"
            }
            Self::TimedOut => {
                "Look whether the endpoint's machine is up and how busy it is, and whether a route or firewall drops what \
                 is sent to it"
            }
            Self::Certificate => {
                "Name the authority of the endpoint's certificate with --ca-file; look at its names and its end, and at \
                 this machine's clock"
            }
            Self::Unauthorized => {
                "Mend UserName and Password, or ClientId and ClientSecret (client-failover edit); on the endpoint: \
                 client-failover user add or passwd"
            }
            Self::Forbidden => {
                "On the endpoint, give this user its role; or, where it does not know the name it is called by, start it \
                 with --allow-host and that name"
            }
            Self::TokenFailed => "Look at TokenEndpoint, ClientId and ClientSecret",
            Self::NotFound | Self::Redirected | Self::BadAnswer | Self::TooLarge => {
                "Look at Endpoint: what answers there is no failover endpoint, whose address ends in \
                 /api/v1/clientfailover as a rule"
            }
            Self::Conflict => {
                "Where a data folder was copied, stop one of the two adapters and start it with an empty folder; one that \
                 was only started anew is let in within a FailoverTimeout"
            }
            Self::TooManyRequests | Self::ServerError | Self::Refused => "Look at the endpoint's log",
        }
    }
}

/// A call to the endpoint that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFailure {
    /// How.
    pub kind: FailureKind,
    /// What happened, as a sentence without its full stop.
    pub detail: String,
    /// What to do about it, the same, where more is known than the kind; else empty.
    pub resolution: Option<String>,
    /// How long the endpoint asks to wait.
    pub retry_after: Option<Duration>,
}

impl CallFailure {
    /// One of which nothing else is known.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), resolution: None, retry_after: None }
    }

    /// What to do about it, as a sentence without its full stop.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.resolution.as_deref().unwrap_or(self.kind.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_is_what_is_known_best() {
        let refused = CallFailure::new(FailureKind::Forbidden, "it answered 403 Forbidden");
        assert_eq!(refused.remedy(), FailureKind::Forbidden.remedy());
        let explained = CallFailure { resolution: Some("Ask for a role".to_owned()), ..refused };
        assert_eq!(explained.remedy(), "Ask for a role");
    }
}
