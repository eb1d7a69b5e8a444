//! Counts and sizes: `/admin/v1/statistics` for people, `/metrics` for Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderValue, header};
use leadglass_archive::Caller;
use leadglass_archive::statistics::Statistics;
use serde_json::{Value, json};

use crate::web::{Problem, WebState};

/// Text format 0.0.4 of the Prometheus exposition.
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /admin/v1/statistics`.
pub(super) async fn statistics(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    let statistics = state.archive().statistics(&caller).await?;
    Ok(Json(json!({
        "patients": statistics.counts.patients,
        "studies": statistics.counts.studies,
        "series": statistics.counts.series,
        "instances": statistics.counts.instances,
        "quarantined": statistics.counts.quarantined,
        "peer_certificates": {
            "expired": statistics.certificates.expired,
            "within_7_days": statistics.certificates.within_7_days,
            "within_30_days": statistics.certificates.within_30_days,
            "within_60_days": statistics.certificates.within_60_days,
        },
        "legacy_peers": {
            "alive": statistics.legacy.alive,
            "within_30_days": statistics.legacy.within_30_days,
        },
        "held_senders": statistics.held_senders,
        "last_sequence": statistics.last_sequence,
        "applied_sequence": statistics.applied_sequence,
        "checkpoint_size": statistics.checkpoint_size,
        "free_bytes": statistics.free_bytes,
        "reserve_bytes": statistics.reserve_bytes,
        "read_only": statistics.read_only,
    })))
}

/// `GET /metrics`: the process's figures and the archive's.
pub(super) async fn metrics(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let statistics = state.archive().statistics(&caller).await?;
    let mut text = state.metrics().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    for (name, value) in gauges(&statistics) {
        text.push_str(&format!("# TYPE leadglass_{name} gauge\nleadglass_{name} {value}\n"));
    }
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, PROMETHEUS);
    Ok(response)
}

fn gauges(statistics: &Statistics) -> [(&'static str, u64); 17] {
    [
        ("patients", statistics.counts.patients),
        ("studies", statistics.counts.studies),
        ("series", statistics.counts.series),
        ("instances", statistics.counts.instances),
        ("peer_certificates_expired", statistics.certificates.expired),
        ("peer_certificates_ending_7_days", statistics.certificates.within_7_days),
        ("peer_certificates_ending_30_days", statistics.certificates.within_30_days),
        ("peer_certificates_ending_60_days", statistics.certificates.within_60_days),
        ("legacy_peers", statistics.legacy.alive),
        ("legacy_peers_ending_30_days", statistics.legacy.within_30_days),
        ("held_senders", statistics.held_senders),
        ("quarantined_objects", statistics.counts.quarantined),
        ("log_last_sequence", statistics.last_sequence),
        ("index_applied_sequence", statistics.applied_sequence),
        ("checkpoint_leaves", statistics.checkpoint_size),
        ("free_bytes", statistics.free_bytes),
        ("read_only", u64::from(statistics.read_only.is_some())),
    ]
}
