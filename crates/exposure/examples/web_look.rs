//! scratch
use leadglass_exposure::{
    catalogue::Depth,
    net::Over,
    probe::{product, web},
    testing,
};
#[tokio::main(flavor = "current_thread")]
async fn main() {
    for port in std::env::args().skip(1) {
        let port: u16 = port.parse().unwrap();
        let mut run = testing::run(testing::scope());
        run.limits.conversation = std::time::Duration::from_secs(10);
        let (known, outcomes) = testing::look(&run, port, Depth::Counts, async |look| {
            if !web::greet(look, Over::Clear).await {
                web::greet(look, Over::Tls).await;
            }
            web::audit(look).await;
            product::audit(look).await;
        })
        .await;
        println!(
            "{}",
            serde_json::json!({"port": port, "outcomes": outcomes, "asked": known.web.map(|w| w.asked), "product": known.product})
        );
    }
}
