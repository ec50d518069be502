//! `railhead key …`: API keys, over the running host's API.

use crate::cli::{KeyCommand, Remote};
use crate::table::{cell, table};
use serde_json::{Value, json};

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key to speak to the host with.
    #[error("set RAILHEAD_ADMIN_KEY, or pass --key: the administrator's key, or one with the scope `keys`")]
    NoKey,
    /// The host cannot be reached.
    #[error("no answer from {0}; is the host running? Set RAILHEAD_URL, or pass --url")]
    Unreachable(String),
    /// The host refused.
    #[error("the host answered {0}: {1}")]
    Refused(u16, String),
}

/// Runs one command.
///
/// # Errors
/// [`KeyError`].
pub async fn run(command: KeyCommand) -> Result<(), KeyError> {
    match command {
        KeyCommand::Create { environment, name, scopes, remote } => {
            let body = json!({"name": name, "scopes": scopes});
            let path = format!("/v1/keys?environment={environment}");
            show_secret(&call(&remote, "POST", &path, Some(&body)).await?, remote.json);
        }
        KeyCommand::Rotate { id, environment, overlap_ms, remote } => {
            let body = json!({"overlap_ms": overlap_ms});
            let path = format!("/v1/keys/{id}/rotate?environment={environment}");
            show_secret(&call(&remote, "POST", &path, Some(&body)).await?, remote.json);
        }
        KeyCommand::List { environment, remote } => {
            let page = call(&remote, "GET", &format!("/v1/keys?environment={environment}&limit=200"), None).await?;
            show_list(&page, remote.json);
        }
        KeyCommand::Revoke { id, environment, remote } => {
            call(&remote, "DELETE", &format!("/v1/keys/{id}?environment={environment}"), None).await?;
            say(&if remote.json { json!({"id": id, "revoked": true}).to_string() } else { format!("{id} is revoked") });
        }
    }
    Ok(())
}

#[allow(clippy::disallowed_methods)] // a client of the host, not the host
async fn call(remote: &Remote, method: &str, path: &str, body: Option<&Value>) -> Result<Value, KeyError> {
    let key = remote.key.as_deref().ok_or(KeyError::NoKey)?;
    let unreachable = |_| KeyError::Unreachable(remote.url.clone());
    let client = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
    let url = format!("{}{path}", remote.url.trim_end_matches('/'));
    let request = match method {
        "POST" => client.post(url),
        "DELETE" => client.delete(url),
        _ => client.get(url),
    };
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.bearer_auth(key).send().await.map_err(unreachable)?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    if !status.is_success() {
        return Err(KeyError::Refused(status.as_u16(), text));
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn show_secret(key: &Value, json: bool) {
    if json {
        return say(&key.to_string());
    }
    say(&format!("{}  {}", cell(&key["id"]), cell(&key["name"])));
    say(&format!("secret, shown once: {}", cell(&key["secret"])));
}

fn show_list(page: &Value, json: bool) {
    if json {
        return say(&page.to_string());
    }
    let mut rows = vec![["id", "name", "scopes", "created", "expires", "revoked"].map(str::to_owned).to_vec()];
    for key in page["data"].as_array().into_iter().flatten() {
        rows.push(
            ["id", "name", "scopes", "created_at", "expires_at", "revoked"].map(|field| cell(&key[field])).to_vec(),
        );
    }
    say(table(&rows).trim_end());
}

#[allow(clippy::print_stdout)] // what a command prints is its purpose
fn say(text: &str) {
    println!("{text}");
}
