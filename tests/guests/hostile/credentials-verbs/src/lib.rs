//! Uses each credential by the verb that is made for it, at servers that send everything back; then it logs what came, shows it and
//! dies with it.

use hostile_kit::{
    Connection, Credential, Encoding, Failure, Given, Hostile, Part, Request, Scram, body, credential, credentials,
    host, http, text,
};

#[derive(Default)]
struct Verbs;

impl Hostile for Verbs {
    fn deliver(&self, given: &Given<'_>) -> Result<String, Failure> {
        let server = given.connect()?;
        let told = [logins(&server)?, answers(&server)?, tokens(given)?, links(given)?, frames(&given.connect()?)?];
        let told = told.join("\n");
        // As much as the log takes, a line at a time.
        for line in given.config().split("\",\"") {
            host::log("info", line, &[]);
        }
        for line in told.as_bytes().chunks(800).take(50) {
            host::log("debug", &String::from_utf8_lossy(line), &[]);
        }
        given.call.show(&given.all(), "text/plain", told.as_bytes(), told.as_bytes());
        eprintln!("{told}");
        panic!("{told}");
    }
}

/// A login at a server that the guest plays itself: it knows all that was sent.
fn logins(server: &Connection) -> Result<String, Failure> {
    let login = Scram::new(&credential("password")?, "sha-256", "user", None);
    let first = String::from_utf8_lossy(&login.first()).into_owned();
    let nonce = first.rsplit("r=").next().unwrap_or_default();
    let asked = format!("r={nonce}server,s=c2FsdHNhbHRzYWx0,i=4096");
    let last = login.final_(&heard(server, asked.as_bytes())?)?;
    let proven = login.verify(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    Ok(format!("{first} {} {proven:?}", String::from_utf8_lossy(&last)))
}

/// Has the server say this.
fn heard(server: &Connection, said: &[u8]) -> Result<Vec<u8>, Failure> {
    server.write(&[Part::Bytes(said.to_vec())])?;
    let mut all = Vec::new();
    while all.len() < said.len() {
        all.extend(server.read(1024, 60_000)?);
    }
    Ok(all)
}

/// Everything that a server can ask for.
fn answers(server: &Connection) -> Result<String, Failure> {
    let (password, mut all) = (credential("password")?, Vec::new());
    heard(server, &[0; 20])?;
    heard(server, b"a-nonce-of-a-server")?;
    for (scheme, nonce) in [("mysql-native", 20), ("mysql-caching-sha2", 20), ("postgres-md5", 4)] {
        let answer = credentials::answer(&password, scheme, "user", &vec![0; nonce])?;
        all.push(format!("{} {answer:?}", String::from_utf8_lossy(&answer)));
    }
    all.push(format!("{:?}", credentials::sign_challenge(&credential("key")?, "ed25519", b"a-nonce-of-a-server")?));
    Ok(all.join(" "))
}

/// Tokens, sent and come back.
fn tokens(given: &Given<'_>) -> Result<String, Failure> {
    let jwt = credentials::jwt(&credential("google")?, "es256", "{}", r#"{"sub":"user"}"#)?;
    let sas = credentials::azure_sas(&credential("shared")?, "https://bus.example", "policy", 600)?;
    let mut all = Vec::new();
    for token in [&jwt, &sas] {
        let placeholder = credentials::placeholder(token, Encoding::Raw)?;
        all.push(format!("{placeholder} {:?}", token.attribute("form")));
        all.push(echoed(given, token)?);
    }
    Ok(all.join(" "))
}

fn echoed(given: &Given<'_>, secret: &Credential) -> Result<String, Failure> {
    let request = given.post("/echo");
    request.header("x-token", &[text("Bearer "), Part::Secret((secret, Encoding::Raw))])?;
    request.sign_aws(&credential("aws")?, "sqs", "eu-west-1")?;
    everything(request)
}

/// A URL that is a secret, at a destination that tells its query.
fn links(given: &Given<'_>) -> Result<String, Failure> {
    let url = format!("{}/echo", given.setting("url"));
    let link = credentials::aws_presign(&credential("presigning")?, "s3", "eu-west-1", &url, 600)?;
    let told = format!("{:?} {:?}", link.attribute("origin"), link.attribute("form"));
    Ok(format!("{told} {}", everything(Request::to_secret("POST", &link)?)?))
}

fn everything(request: Request) -> Result<String, Failure> {
    let answer = http::send(request)?;
    Ok(format!("{:?} {}", answer.headers(), body(&answer)))
}

/// A frame with the password in it, and what comes back of it.
fn frames(connection: &Connection) -> Result<String, Failure> {
    let password = credential("wire")?;
    let length = password.length(Encoding::Base64)?;
    let piece = |encoding| Part::Secret((&password, encoding));
    connection.write(&[text("slow\nuser\0"), piece(Encoding::Raw), text(" "), piece(Encoding::Base64), text("\n")])?;
    let mut all = Vec::new();
    while !all.ends_with(b"\n") {
        let more = connection.read(3, 60_000)?;
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    Ok(format!("{length} {}", String::from_utf8_lossy(&all)))
}

hostile_kit::hostile!(Verbs);
