//! Wiring and shutdown. A placeholder on the branch of the command line.

use crate::settings::{EndpointSettings, ServeSettings};

/// Why a half could not run.
#[derive(Debug, thiserror::Error)]
#[error("is not wired on this branch")]
pub struct AppError;

/// Runs the adapter half.
///
/// # Errors
/// Always, on this branch.
pub async fn serve(settings: ServeSettings) -> Result<(), AppError> {
    tracing::info!(?settings, "serve");
    std::future::ready(Err(AppError)).await
}

/// Runs the endpoint half.
///
/// # Errors
/// Always, on this branch.
pub async fn endpoint(settings: EndpointSettings) -> Result<(), AppError> {
    tracing::info!(?settings, "endpoint");
    std::future::ready(Err(AppError)).await
}
