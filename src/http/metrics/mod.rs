//! `/metrics`: what Prometheus asks for.
//!
//! Promises: OpenMetrics text where that is asked for, else the classical format; what is published elsewhere (where
//! the adapter stands, how the groups are) is read when it is asked for. There is nothing here that other reads do not
//! show, and no secret. Labels are bounded: closed lists, this adapter's own names, its destinations (64 at the most),
//! and as many groups as `endpoint::MOST_GROUPS` says.

mod adapter;
mod endpoint;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{
    kit::{Failure, Routes, internal},
    notices::Notices,
    traffic::Traffic,
};
use crate::{
    clock,
    domain::Wall,
    endpoint::Endpoint,
    metrics::{Exposition, Format},
    store::{Space, Store},
};

pub use adapter::AdapterMetrics;

/// How long the disk may take to say how full it is. After that nothing is said of it.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// What a server is measured by.
#[derive(Debug)]
pub struct Metrics {
    store: Store,
    adapter: Option<AdapterMetrics>,
    endpoint: Option<Endpoint>,
    begun: Wall,
    /// Who looks at the disk; while it hangs, nobody begins to look again.
    looking: Arc<Semaphore>,
}

impl Metrics {
    /// The metrics of a server that has begun now, and has these halves.
    #[must_use]
    pub fn new(store: Store, adapter: Option<AdapterMetrics>, endpoint: Option<Endpoint>) -> Self {
        Self { store, adapter, endpoint, begun: clock::now().wall, looking: Arc::new(Semaphore::new(1)) }
    }

    async fn space(&self) -> Space {
        let look = async {
            let turn = Arc::clone(&self.looking).acquire_owned().await.ok()?;
            let store = self.store.clone();
            let looked = spawn_blocking(move || (store.space(), turn));
            looked.await.ok().map(|(space, _turn)| space)
        };
        timeout(LOOK_LIMIT, look).await.ok().flatten().unwrap_or_default()
    }

    fn expose_server(&self, to: &mut Exposition, space: Space) {
        let half = match (&self.adapter, &self.endpoint) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "adapter",
            (None, _) => "endpoint",
        };
        let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("half", half.to_owned())];
        let means = "The version that runs, and which halves of it: adapter, endpoint or both";
        to.gauges("client_failover_build_info", means, [(build, 1.0)]);
        let means = "When the server started, in seconds since 1970";
        to.gauge("client_failover_start_time_seconds", means, seconds(self.begun));
        self.store.writes().expose("store", to);
        let files = space.files.into_iter().map(|(file, bytes)| (vec![("file", file)], bytes as f64));
        to.gauges("client_failover_store_file_size_bytes", "How large the files of the databases are", files);
        let means = "How much room the disk of the data folder has left";
        to.gauge("client_failover_store_disk_free_bytes", means, space.free.map(|bytes| bytes as f64));
    }
}

/// The route of `/metrics`.
#[must_use]
pub fn routes(metrics: Metrics) -> Routes {
    Routes::new().route("/metrics", get(scrape).with_state(Arc::new(metrics)))
}

async fn scrape(
    State(metrics): State<Arc<Metrics>>,
    notices: Option<Extension<Notices>>,
    traffic: Option<Extension<Traffic>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::asked(accept.unwrap_or_default());
    let space = metrics.space().await;
    let groups = match &metrics.endpoint {
        Some(endpoint) => {
            Some((endpoint.heard().clone(), endpoint.overview_everywhere(clock::now().uptime).await))
        }
        None => None,
    };
    // Thousands of groups make a megabyte of text: no heartbeat may wait for that.
    let written = spawn_blocking(move || {
        let mut to = Exposition::default();
        metrics.expose_server(&mut to, space);
        if let Some(Extension(traffic)) = traffic {
            traffic.expose(&mut to);
        }
        let mut warnings = 0;
        if let Some(Extension(notices)) = notices {
            let means = "When the TLS certificate that is shown ends, in seconds since 1970";
            let ends = notices.certificate_ends().map(seconds);
            to.gauge("client_failover_tls_certificate_end_timestamp_seconds", means, ends);
            warnings += notices.warnings().len();
        }
        if let Some(adapter) = &metrics.adapter {
            metrics.store.told().expose_adapter(&mut to);
            warnings += adapter.expose(&mut to);
        }
        if let Some((heard, groups)) = groups {
            metrics.store.told().expose_groups(&mut to);
            heard.expose(&mut to);
            endpoint::expose(&groups, &mut to);
        }
        let means = "How many warnings the server has about itself and its adapter";
        to.gauge("client_failover_warnings", means, warnings as f64);
        to.text(format)
    });
    let text = written.await.map_err(internal)?.map_err(internal)?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()))], text).into_response())
}

/// A wall-clock time as Prometheus tells it: in seconds since 1970.
fn seconds(at: Wall) -> f64 {
    at.micros() as f64 / 1e6
}
