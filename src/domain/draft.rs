//! A configuration as somebody asked for it, and the rules that turn it into one that can be used.

use super::{
    AccessDraft, ConfigurationId, Description, FailoverConfig, FailoverTimeout, Fault, Faults, Field,
    GroupId, Mode, Name,
    access_draft::{checked, required},
    parse_span,
};

/// What an Endpoint of a failover endpoint looks like.
const EXAMPLE: &str = "https://host:5591/api/v1/clientfailover";

/// What a request said of each member, before any rule was applied.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub struct Draft {
    pub id: Field<String>,
    pub group: Field<String>,
    pub name: Field<String>,
    pub description: Field<String>,
    pub timeout: Field<String>,
    pub mode: Field<String>,
    pub access: AccessDraft,
}

impl Draft {
    /// The whole configuration that a POST or PUT asks for; `null` is as if left out.
    ///
    /// `stored` is what it replaces: a mask keeps its secret. Without an Id it gets the one of
    /// `stored`, or else `fresh`.
    ///
    /// # Errors
    /// When a rule is broken; with every fault.
    pub fn complete(
        self,
        stored: Option<&FailoverConfig>,
        fresh: ConfigurationId,
    ) -> Result<FailoverConfig, Faults> {
        let id = stored.map_or(fresh, |stored| stored.id().clone());
        self.check(stored, id)
    }

    /// `stored` with the members that a PATCH names changed (a JSON merge patch).
    ///
    /// # Errors
    /// When a required member is `null`, or the outcome breaks a rule; with every fault.
    pub fn patch(self, stored: &FailoverConfig) -> Result<FailoverConfig, Faults> {
        let mut faults = Faults::none();
        for (member, is_null) in [
            ("FailoverGroupId", self.group == Field::Null),
            ("Mode", self.mode == Field::Null),
            ("Endpoint", self.access.endpoint == Field::Null),
        ] {
            if is_null {
                let resolution = format!("Give {member} a value, or leave it out to keep the one it has.");
                faults.push(Fault::new(member, "is required and cannot be reset by null", resolution));
            }
        }
        match self.over(stored).check(Some(stored), stored.id().clone()) {
            Ok(config) => faults.or(config),
            Err(others) => {
                // A required member that was null is missing as well; one report of it is enough.
                faults.merge(others);
                Err(faults)
            }
        }
    }

    /// This draft with everything it leaves out taken from `stored`; a kept secret becomes the mask.
    fn over(self, stored: &FailoverConfig) -> Self {
        Self {
            id: self.id,
            group: self.group.or(Some(stored.group().to_string())),
            name: self.name.or(stored.name().map(ToString::to_string)),
            description: self.description.or(stored.description().map(ToString::to_string)),
            timeout: self.timeout.or(Some(stored.timeout().to_string())),
            mode: self.mode.or(Some(stored.mode().to_string())),
            access: self.access.over(stored.access()),
        }
    }

    fn check(
        self,
        stored: Option<&FailoverConfig>,
        default_id: ConfigurationId,
    ) -> Result<FailoverConfig, Faults> {
        let mut faults = Faults::none();
        let id = match self.id.value() {
            Some(id) => faults.take(checked("Id", id, ConfigurationId::new)),
            None => Some(default_id),
        };
        let group = required(&mut faults, "FailoverGroupId", self.group, "Name the failover group.")
            .and_then(|group| faults.take(checked("FailoverGroupId", group, GroupId::new)));
        let name = self.name.value().and_then(|name| faults.take(checked("Name", name, Name::new)));
        let description = self
            .description
            .value()
            .and_then(|text| faults.take(checked("Description", text, Description::new)));
        let timeout =
            self.timeout.value().map_or(Some(FailoverTimeout::DEFAULT), |text| faults.take(timeout(&text)));
        let mode = required(&mut faults, "Mode", self.mode, "Mode is Hot, Warm, Cold or None.")
            .and_then(|text| faults.take(mode(&text)));
        let what = "Endpoint is the failover endpoint's address.";
        let access = self.access.check(&mut faults, stored.map(FailoverConfig::access), what, EXAMPLE);

        match (id, group, timeout, mode, access) {
            (Some(id), Some(group), Some(timeout), Some(mode), Some(access)) if faults.is_empty() => {
                Ok(FailoverConfig { id, group, name, description, timeout, mode, access })
            }
            _ => Err(faults),
        }
    }
}

fn timeout(text: &str) -> Result<FailoverTimeout, Fault> {
    let resolution = "FailoverTimeout is written hh:mm:ss, with days before or a fraction after it where needed, \
                      between 00:00:00.25 and 1.00:00:00.";
    let fault = |reason: &str| Fault::new("FailoverTimeout", reason, resolution);
    let span = parse_span(text).ok_or_else(|| fault("is not a time span"))?;
    FailoverTimeout::new(span).map_err(|error| fault(&error.to_string()))
}

fn mode(text: &str) -> Result<Mode, Fault> {
    let fault = || Fault::new("Mode", "is not one of the modes", "Mode is Hot, Warm, Cold or None.");
    Mode::parse(text).ok_or_else(fault)
}
