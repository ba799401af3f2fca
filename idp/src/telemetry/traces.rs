//! Traces over OTLP, protobuf over HTTP, when `telemetry.otlp_endpoint` is set.
//!
//! ```text
//! request ─┬─ database write      spans have the target `spans`, and no log line has them
//!          ├─ hashing wait        their attributes: route, method, status, reference, client, lane
//!          └─ hashing             never a path, a query, an address, a body
//! mail ────── smtp
//! ```
//!
//! A separate thread exports spans in batches. While the collector is unavailable, spans are dropped, with one warning.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::{config::TelemetryConfig, fetch};

/// The target of spans. The log filters it out, and without traces the spans cost nothing.
pub(crate) const TARGET: &str = "spans";
/// How long the export of the last spans may take when the program stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TracesError {
    /// The exporter does not accept the address.
    #[error("telemetry.otlp_endpoint: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The HTTP client does not start.
    #[error("telemetry.otlp_endpoint: the HTTP client does not start: {0}")]
    Client(#[from] fetch::FetchError),
}

/// Exports spans to the collector.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the export, if an endpoint is configured. Call it inside the runtime that sends the requests.
    ///
    /// # Errors
    /// The address cannot be used, or the HTTP client does not start.
    pub(crate) fn start(config: &TelemetryConfig) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
        let client = OtlpClient {
            client: fetch::collector_client()?,
            runtime: Handle::current(),
            is_failing: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
            .with_http_client(client)
            .build()?;
        let sampler = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource())
            .build();
        Ok(Some(Self(provider)))
    }

    /// The layer that turns our spans into those of OpenTelemetry.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("vestibule"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends the remaining spans.
    pub(crate) async fn shutdown(self) {
        // The shutdown blocks its thread, and the requests that it waits for run on this runtime.
        let finished =
            tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if !matches!(finished, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

fn resource() -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "vestibule"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build()
}

/// Carries batches from the exporter's thread, which has no runtime, to the HTTP client, which needs one.
#[derive(Clone)]
struct OtlpClient {
    client: reqwest::Client,
    runtime: Handle,
    is_failing: Arc<AtomicBool>,
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpClient(..)")
    }
}

type SendFuture<'s> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 's>>;

impl HttpClient for OtlpClient {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> SendFuture<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let client = self.client.clone();
            let sent = self.runtime.spawn(async move { send(&client, request).await }).await?;
            let failed = !sent.as_ref().is_ok_and(|answer| answer.status().is_success());
            if failed != self.is_failing.swap(failed, Ordering::Relaxed) {
                log_transition(&sent);
            }
            sent
        })
    }
}

async fn send(
    client: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let mut response = Response::new(answer.bytes().await?);
    *response.status_mut() = status;
    Ok(response)
}

/// Logs once when the collector fails and once when it accepts traces again.
fn log_transition(sent: &Result<Response<Bytes>, HttpError>) {
    match sent {
        Ok(answer) if answer.status().is_success() => {
            tracing::info!("the collector accepts traces again");
        }
        Ok(answer) => {
            let status = answer.status().as_u16();
            tracing::warn!(status, "the collector refuses traces; they are dropped");
        }
        Err(error) => tracing::warn!(%error, "the collector is unavailable; traces are dropped"),
    }
}
