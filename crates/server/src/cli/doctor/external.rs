//! What to try from another machine: only a stranger's view shows that a door is closed.

use crate::cli::whereabouts::Serving;
use crate::config::Config;

/// Commands, each after what has to come back.
pub fn lines(config: &Config) -> Vec<String> {
    let serving = Serving::read(&config.data.dir).ok();
    let (https, dicom) = match &serving {
        Some(serving) => (serving.https, serving.dicom),
        None => (config.listen.https, config.listen.dicom),
    };
    let title = serving.map_or_else(|| "ANY".to_owned(), |serving| serving.ae_title);
    let (host, port) = (dicom.ip(), dicom.port());
    vec![
        "# Without a certificate the DICOM door ends the connection: \"alert certificate required\".".into(),
        format!("sleep 2 | openssl s_client -connect {dicom}"),
        "# Clear text gets no association: \"Association Request Failed\".".into(),
        format!("echoscu -v -aec {title} {host} {port}"),
        "# TLS without a certificate of ours gets none either.".into(),
        format!("echoscu -v +tla -ic -aec {title} {host} {port}"),
        "# Without a token every path answers 401, whether it exists or not.".into(),
        format!("curl -ks -o /dev/null -w '%{{http_code}}\\n' https://{https}/dicom-web/studies"),
        format!("curl -ks -o /dev/null -w '%{{http_code}}\\n' https://{https}/no-such-path"),
        "# Old TLS is refused: an alert, or \"no protocols available\"; never a certificate.".into(),
        format!("openssl s_client -tls1_1 -connect {https} </dev/null"),
        "# nmap's DICOM script, which speaks in clear, recognises nothing: no \"dicom-ping\" in what it prints.".into(),
        format!("nmap -Pn -p {port} --script dicom-ping {host}"),
        "# nmap sees TLS 1.2 and 1.3 with suites of grade A, nothing older.".into(),
        format!("nmap -Pn -p {} --script ssl-enum-ciphers {}", https.port(), https.ip()),
        "# The whole look of a stranger, from a machine elsewhere, with a scope of your own: exit code 0.".into(),
        "leadglass exposure run --scope scope.toml --out look".into(),
        "# Clear HTTP gets no answer.".into(),
        format!("curl -s http://{https}/dicom-web/studies || echo closed"),
    ]
}
