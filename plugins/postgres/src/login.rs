//! From no connection to one that is logged in: TLS, then the password, then the server's word that it is ready.

use crate::classify::Meaning;
use crate::config::{Config, SslMode};
use crate::link::{Link, Patience, Trouble};
use crate::protocol::backend::{Authentication, Message};
use crate::protocol::frontend;
use railhead_sdk::credentials::{self, Credential, Scram};
use railhead_sdk::streams::{Connection, Security};
use railhead_sdk::types::{Failure, Kind};

/// What people see of us in `pg_stat_activity`.
const APPLICATION: &str = "railhead";

const SCRAM: &str = "SCRAM-SHA-256";
const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The contract's name of it, as PostgreSQL prepares passwords.
const MECHANISM: &str = "sha-256-saslprep";

/// Connects and logs in; says on the way what was reached.
pub fn log_in(config: &Config, patience: Patience<'_>, told: &mut Vec<String>) -> Result<Link, Trouble> {
    let mut link = connect(config, patience, told)?;
    introduce(&mut link, config, patience, told).map_err(|trouble| trouble.of_a_stranger(&config.address()))?;
    Ok(link)
}

/// The server's part: who comes, the proof of it, and what the server is.
fn introduce(link: &mut Link, config: &Config, patience: Patience<'_>, told: &mut Vec<String>) -> Result<(), Trouble> {
    link.write(frontend::startup(&[
        ("user", &config.user),
        ("database", &config.database),
        ("application_name", APPLICATION),
        ("client_encoding", "UTF8"),
    ]))?;
    let how = authenticate(link, config, patience)?;
    let version = until_ready(link, patience)?;
    let (user, database) = (&config.user, &config.database);
    told.push(format!("Logged in as {user:?} to the database {database:?} {how}: PostgreSQL {version}."));
    Ok(())
}

/// The network's part: name, address, and verified TLS.
fn connect(config: &Config, patience: Patience<'_>, told: &mut Vec<String>) -> Result<Link, Trouble> {
    let address = config.address();
    let security = match config.sslmode {
        SslMode::VerifyFull => Security::Upgrade,
        SslMode::Disable => Security::Plain,
    };
    let connection = Connection::connect(&config.host, config.port, security).map_err(Trouble::Host)?;
    told.push(format!("{address} takes connections."));
    let mut link = Link::new(connection, address.clone());
    if config.sslmode == SslMode::VerifyFull {
        link.write(frontend::SSL_REQUEST.to_vec())?;
        // One byte and no more: what comes behind it came before TLS, and the host refuses to go on.
        let answer = link.connection.read(1, patience.left_ms()).map_err(Trouble::Host)?;
        takes_tls(&answer, &address)?;
        link.connection.start_tls().map_err(Trouble::Host)?;
        told.push(format!("TLS: its certificate is valid for {}.", config.host));
    }
    Ok(link)
}

/// Reads the answer to a request for TLS.
fn takes_tls(answer: &[u8], address: &str) -> Result<(), Trouble> {
    match answer {
        [b'S'] => Ok(()),
        [b'N'] => Err(Trouble::misconfigured(
            "tls-not-offered",
            format!("{address} offers no TLS. Switch it on there (ssl = on), with a certificate for this name."),
        )),
        // Nobody vouches for its words: they are not read.
        [b'E'] => Err(Trouble::own(
            Meaning::Transient,
            "tls-request-failed",
            format!("{address} answered a request for TLS with an error."),
        )),
        [] => Err(Trouble::Host(Failure {
            kind: Kind::Closed,
            code: "connection-closed".to_owned(),
            message: format!("{address} closed the connection when it was asked for TLS."),
        })),
        _ => Err(Trouble::not_postgres(address)),
    }
}

/// Proves who comes, by what the server asks for; says how, for people.
fn authenticate(link: &mut Link, config: &Config, patience: Patience<'_>) -> Result<&'static str, Trouble> {
    let how = match request(link, patience)? {
        // Whether it asks is the server's choice (`trust`, `cert`), if something else says that it is the server.
        Authentication::Ok if config.sslmode == SslMode::VerifyFull => return Ok("without a password"),
        Authentication::Ok => {
            let message = "The server let this user in without a password, so nothing proves that it is the right one. Use \
                           the method scram-sha-256 for this user in the server's pg_hba.conf, or set sslmode to \
                           verify-full.";
            return Err(Trouble::misconfigured("server-not-proven", message.to_owned()));
        }
        Authentication::Sasl(mechanisms) => return scram(link, config, &mechanisms, patience),
        Authentication::Md5Password(salt) => {
            md5(link, config, salt)?;
            "with MD5, which is weak: let the server store passwords as scram-sha-256"
        }
        Authentication::CleartextPassword => {
            let message = "The server wants the password itself, in clear text, and never gets it. Use the method \
                           scram-sha-256 for this user in the server's pg_hba.conf.";
            return Err(Trouble::misconfigured("cleartext-password", message.to_owned()));
        }
        Authentication::SaslContinue(_) | Authentication::SaslFinal(_) => {
            return Err(link.out_of_place("the middle of a login"));
        }
        Authentication::Other(method) => {
            let message = format!(
                "The server wants an authentication (number {method}) that this connector does not know, such as \
                 Kerberos. Use the method scram-sha-256 for this user in the server's pg_hba.conf."
            );
            return Err(Trouble::misconfigured("authentication-unknown", message));
        }
    };
    match request(link, patience)? {
        Authentication::Ok => Ok(how),
        _ => Err(link.out_of_place("a second authentication request")),
    }
}

fn scram(
    link: &mut Link,
    config: &Config,
    offered: &[String],
    patience: Patience<'_>,
) -> Result<&'static str, Trouble> {
    let offers = |name: &str| offered.iter().any(|offered| offered == name);
    // None: no TLS, or a certificate whose signature has no hash to bind to.
    let binding = link.connection.channel_binding();
    let (mechanism, binding, how) = match binding {
        Some(binding) if offers(SCRAM_PLUS) => (SCRAM_PLUS, Some(binding), "with SCRAM-SHA-256 and channel binding"),
        // Empty says "I could, and you did not offer it": a server that did knows then that somebody stands between.
        binding => (SCRAM, binding.map(|_| Vec::new()), "with SCRAM-SHA-256"),
    };
    if !offers(mechanism) {
        let message =
            format!("The server offers {} and not {SCRAM}. Use the method scram-sha-256.", offered.join(", "));
        return Err(Trouble::misconfigured("authentication-unknown", message.chars().take(500).collect()));
    }
    let login = Scram::new(&password()?, MECHANISM, &config.user, binding.as_deref());
    link.write(frontend::sasl_initial(mechanism, &login.first()))?;
    let Authentication::SaslContinue(challenge) = request(link, patience)? else {
        return Err(link.out_of_place("no challenge"));
    };
    let proof = login.final_(&challenge).map_err(Trouble::Host)?;
    link.write(frontend::sasl_response(&proof))?;
    let Authentication::SaslFinal(last) = request(link, patience)? else {
        return Err(link.out_of_place("no proof of its own"));
    };
    // Before anything else is said: the server must know the password too.
    login.verify(&last).map_err(Trouble::Host)?;
    match request(link, patience)? {
        Authentication::Ok => Ok(how),
        _ => Err(link.out_of_place("a second authentication request")),
    }
}

/// Good for one salt of 32 bits, and the password can be searched for in it: only behind verified TLS.
fn md5(link: &mut Link, config: &Config, salt: [u8; 4]) -> Result<(), Trouble> {
    if config.sslmode == SslMode::Disable {
        let message = "The server wants MD5, which is not safe without TLS. Use the method scram-sha-256 for this user, \
                       or set sslmode to verify-full.";
        return Err(Trouble::misconfigured("md5-without-tls", message.to_owned()));
    }
    let answer = credentials::answer(&password()?, "postgres-md5", &config.user, &salt).map_err(Trouble::Host)?;
    link.write(frontend::md5_response(&answer))
}

/// The value in force: a session logs in with one.
fn password() -> Result<Credential, Trouble> {
    let value = credentials::get("password").map_err(Trouble::Host)?.into_iter().next();
    value.ok_or_else(|| {
        let message = "The server asks for a password, and the credential password is not set.".to_owned();
        Trouble::own(Meaning::RejectedCredentials, "password-missing", message)
    })
}

/// What the server wants next.
fn request(link: &mut Link, patience: Patience<'_>) -> Result<Authentication, Trouble> {
    loop {
        match link.next(patience)? {
            Message::Authentication(request) => return Ok(request),
            // Of another protocol version, or a warning.
            Message::Step | Message::ParameterStatus(..) => {}
            Message::Error(error) => return Err(Trouble::Server(error)),
            _ => return Err(link.out_of_place("something else than an authentication request")),
        }
    }
}

/// After the login: the server's version, for people.
fn until_ready(link: &mut Link, patience: Patience<'_>) -> Result<String, Trouble> {
    let mut version = String::new();
    let (failed, _) = link.until_ready(patience, |message| match message {
        Message::ParameterStatus(name, value) if name == "server_version" => {
            version = value.chars().take(64).collect();
        }
        _ => {}
    })?;
    failed.map_or(Ok(version), |error| Err(Trouble::Server(error)))
}
