//! Legacy peers on the terminal: red, in words that say what they are.

use comfy_table::Table;
use serde_json::{Value, json};

use super::connection::Connection;
use super::output::Output;
use super::peer::{days_left, ends, word};
use super::scope::words;

/// What stands above everything that is said of them.
const BANNER: &str = "CLEAR TEXT, NOT AUTHENTICATED: whoever has that wire can store as these legacy peers";

/// Declares one, and says where it is listened to.
pub(super) async fn declare(request: &Value, connection: &Connection, output: &Output) -> anyhow::Result<()> {
    let answer = connection.api()?.post("/admin/v1/legacy-peers", request).await?;
    let peer = &answer["peer"];
    let text = format!(
        "{}\n{} may store from {} until {}, and do nothing else.\n{}",
        red(BANNER, output),
        word(&peer["ae"]),
        word(&peer["address"]),
        word(&peer["expires"]),
        listener(&answer["listener"])
    );
    output.say(&answer, text)
}

fn listener(listener: &Value) -> String {
    match (listener["interface"].as_str(), listener["closed"].as_str()) {
        (None, _) => "Nobody is listened to yet: name a private interface in [dimse.legacy] and start again.".into(),
        (Some(interface), None) => {
            format!("The listener is on network interface {interface}; `leadglass explain` shows it.")
        }
        (Some(interface), Some(why)) => format!("The listener on network interface {interface} is closed: {why}"),
    }
}

/// The peers of an answer with the legacy ones after them, each marked.
pub(super) fn beside(peers: Value, legacy: &Value) -> Value {
    let marked = legacy.as_array().into_iter().flatten().map(|peer| {
        let mut peer = peer.clone();
        peer["legacy"] = true.into();
        peer["verbs"] = json!(["store"]);
        peer
    });
    let peers = peers.as_array().cloned().unwrap_or_default();
    Value::Array(peers.into_iter().chain(marked).collect())
}

/// A table of them in red, when there are any.
pub(super) fn listed(legacy: &Value, output: &Output) -> String {
    let peers = legacy.as_array().map(Vec::as_slice).unwrap_or_default();
    if peers.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.set_header(["AE title", "may", "stores", "comes from", "where", "ends", "revoked"]);
    for peer in peers {
        let row = ["ae", "", "", "address", "label", "", "revoked"].map(|field| word(&peer[field]).to_owned());
        let [ae, _, _, address, label, _, revoked] = row;
        table.add_row([ae, "store".into(), words(&peer["scope"]), address, label, ends(&peer["expires"]), revoked]);
    }
    let text = format!("{BANNER}\n{table}");
    format!("\n{}", if peers.iter().any(lives) { red(&text, output) } else { text })
}

/// The posture's line of their listener, when one is configured.
pub(super) fn posture(legacy: &Value, output: &Output) -> Option<String> {
    let interface = legacy["interface"].as_str()?;
    let peers = legacy["peers"].as_u64().unwrap_or(0);
    Some(match (legacy["open"].as_str(), legacy["closed"].as_str()) {
        (Some(at), _) => {
            let text = format!("CLEAR TEXT {at} on {interface}: {peers} legacy peers, NOT AUTHENTICATED, store only");
            red(&text, output)
        }
        (None, Some(why)) => format!("clear text closed: {why}"),
        (None, None) => format!("clear text closed: no legacy peer lives (interface {interface})"),
    })
}

/// In red where people watch.
pub(super) fn red(text: &str, output: &Output) -> String {
    if output.is_for_people() { format!("\u{1b}[1;31m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn lives(peer: &Value) -> bool {
    peer["revoked"].is_null() && days_left(word(&peer["expires"])).is_some_and(|left| left > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_marked_wherever_they_are_listed() {
        let output = Output::new(true);
        let legacy =
            json!([{ "ae": "US1", "address": "10.0.0.7", "expires": "2999-01-01T00:00:00Z", "revoked": null }]);
        let all = beside(json!([{ "ae": "CT1" }]), &legacy);
        assert_eq!((&all[0]["legacy"], &all[1]["legacy"], &all[1]["ae"]), (&Value::Null, &json!(true), &json!("US1")));
        let text = listed(&legacy, &output);
        assert!(text.contains("NOT AUTHENTICATED") && text.contains("10.0.0.7"), "{text}");
        assert_eq!(listed(&json!([]), &output), "");
        assert!(lives(&legacy[0]));
        assert_eq!(posture(&Value::Null, &output), None);
        let open = json!({ "interface": "eth1", "open": "10.0.0.1:104", "peers": 2 });
        assert!(posture(&open, &output).unwrap().contains("CLEAR TEXT 10.0.0.1:104 on eth1: 2 legacy peers"));
    }
}
