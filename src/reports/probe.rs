//! Looks at what a probe names.

use reqwest::{Certificate, Client, redirect::Policy};

use crate::{
    command,
    domain::{Probe, ProbeTarget, root_cause},
    tls::Authorities,
};

/// Looks, once for each call.
#[derive(Debug, Clone)]
pub(super) struct Prober {
    client: Client,
}

/// Looks once at what `probe` names.
///
/// # Errors
/// What was seen, where it is not good.
pub async fn look_once(probe: &Probe, authorities: &Authorities) -> Result<(), String> {
    let prober = Prober::new(authorities, std::slice::from_ref(probe));
    prober.map_err(|error| root_cause(&error))?.look(probe).await
}

impl Prober {
    /// # Errors
    /// When TLS cannot be prepared.
    pub(super) fn new(authorities: &Authorities, probes: &[Probe]) -> Result<Self, reqwest::Error> {
        let own = authorities.iter().map(Certificate::from_der).collect::<Result<Vec<_>, _>>()?;
        // A probe looks at the one address that was named: no redirect, no proxy, no kept connection that
        // could be dead.
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(concat!("client-failover/", env!("CARGO_PKG_VERSION")));
        let tls = probes
            .iter()
            .any(|probe| matches!(&probe.target, ProbeTarget::Url(url) if url.url().scheme() == "https"));
        // A machine without any root certificate can still look at what is plain http, or at nothing.
        let client = if tls { client.tls_certs_merge(own) } else { client.tls_certs_only([]) };
        Ok(Self { client: client.build()? })
    }

    /// Whether what `probe` names is good; if not, what was seen.
    pub(super) async fn look(&self, probe: &Probe) -> Result<(), String> {
        match &probe.target {
            ProbeTarget::Url(url) => {
                let request = self.client.get(url.url().clone()).timeout(probe.timeout);
                match request.send().await {
                    Ok(answer) if answer.status().is_success() => Ok(()),
                    Ok(answer) => Err(format!("{url} answers {}", answer.status())),
                    Err(error) if error.is_timeout() => {
                        Err(format!("{url} does not answer within {:?}", probe.timeout))
                    }
                    Err(error) => Err(format!("{url} cannot be asked: {}", root_cause(&error))),
                }
            }
            ProbeTarget::Command(command) => {
                let name = command.first().map(String::as_str).unwrap_or_default();
                let ran = command::run(command, &[], probe.timeout).await;
                ran.map_err(|error| format!("{name}: {error}"))
            }
        }
    }
}
