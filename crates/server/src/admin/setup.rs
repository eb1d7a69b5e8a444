//! `POST /setup`: the one-time setup code for the first administrator's token.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use leadglass_archive::Credential;
use serde_json::{Value, json};

use super::Body;
use crate::web::authenticate::source;
use crate::web::{Problem, WebState};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    code: String,
    administrator: String,
}

/// Takes `{"code", "administrator"}`, gives `{"token"}`. Once setup is done there is nothing
/// here: the path then asks for a token as any unknown path does.
pub(super) async fn complete(State(state): State<WebState>, request: Request) -> Result<Json<Value>, Problem> {
    if state.archive().is_set_up() {
        return Err(Problem::unauthenticated());
    }
    let source = source(&request)?;
    let Body(setup) = Body::<Setup>::from_request(request, &state).await?;
    let caller = state
        .archive()
        .authenticate(source, Credential::SetupCode(setup.code))
        .await
        .map_err(|_| Problem::unauthenticated())?;
    let token = state.archive().complete_setup(&caller, &setup.administrator).await?;
    Ok(Json(json!({ "token": token })))
}
