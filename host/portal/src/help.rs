//! What an outcome's code means, and what its reader can do.

/// Words for a code; empty for one that its message explains already.
#[must_use]
pub fn of(code: &str) -> &'static str {
    if let Some(status) = code.strip_prefix("http-") {
        return of_status(status);
    }
    match code {
        "dns-not-found" | "dns-failed" => {
            "The name of the destination does not resolve. Check the host in its configuration."
        }
        "connect-refused" | "connect-failed" | "connect-unreachable" | "connect-timeout" => {
            "No connection to the destination. Check that it runs, and that its firewall lets this host in."
        }
        "tls-certificate" => "The destination's certificate is not one to trust. Renew it, or send the whole chain.",
        "tls-protocol" | "tls-refused" | "tls-closed" => {
            "No TLS connection. Check port, TLS version and client certificate."
        }
        "timeout" | "deadline" => {
            "The destination took longer than its timeout. It may have the event: the retry has the same id."
        }
        "connection-reset" | "connection-closed" => {
            "The connection ended before a whole answer. The destination may have the event: the retry has the same id."
        }
        "destination-gone" => "The destination asked for no more events. It was disabled; enable it once it is back.",
        "destination-deleted" => "The destination was deleted while this waited.",
        "credential-missing" | "credential-invalid" => "A credential is missing or cannot be used. Set it again.",
        "cpu-limit" | "memory-limit" | "output-limit" | "plugin-trap" | "unsettled" | "aborted" => {
            "The connector stopped before it was done. Its author can reproduce this; it is not about the destination."
        }
        "sandbox-busy" | "host-fault" | "untried" => {
            "The host did not get to it. It is tried again and costs no attempt."
        }
        "fields-not-selectable" => "Fields can be selected from JSON payloads only.",
        _ => "",
    }
}

fn of_status(status: &str) -> &'static str {
    match status.as_bytes() {
        b"401" | b"403" => "The destination refuses the credential. Rotate it, or grant it access.",
        b"404" => "Nothing takes events at this address. Check the URL.",
        b"408" | b"425" | b"429" => "The destination asks for time. It is tried again.",
        b"410" => "The destination asked for no more events. It was disabled; enable it once it is back.",
        b"413" => "The event is too large for the destination. Select fewer fields.",
        [b'3', ..] => "Redirects are not followed. Configure the address that it points to.",
        [b'4', ..] => "Its answer says why; deliver again once that is mended.",
        [b'5', ..] => "The fault is the destination's own. It is tried again.",
        _ => "",
    }
}

/// Why routing made no delivery, in words.
#[must_use]
pub fn of_route(reason: &str) -> &'static str {
    match reason {
        "event-type" => "Not subscribed to this event type.",
        "pattern" => "Its filter did not match.",
        "not-json" => "Its filter could not be applied: the payload is not JSON.",
        "disabled" => "The destination was disabled.",
        _ => "No delivery was made.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_codes_have_words() {
        for code in ["http-301", "http-403", "http-422", "http-503", "timeout", "tls-certificate"] {
            assert!(!of(code).is_empty(), "{code}");
        }
        for code in ["http-200", "<script>", "http-", "http-9"] {
            assert_eq!(of(code), "");
        }
    }
}
