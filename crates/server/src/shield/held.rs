//! What lasts is looked at again: rights that ended and bytes beyond the envelope end it too.

use std::time::Duration;

use leadglass_archive::Refused;
use leadglass_archive::relay::Holder;

/// How often it is asked whether what was begun may go on.
const CHECK: Duration = Duration::from_secs(2);

/// Returns when whoever something is passed on to may not have more of it.
pub(super) async fn no_longer(holder: Holder) -> Refused {
    loop {
        tokio::time::sleep(CHECK).await;
        if let Err(refused) = holder.may_go_on().await {
            return refused;
        }
    }
}
