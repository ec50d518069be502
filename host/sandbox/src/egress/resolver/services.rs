//! SRV records by the machine's name servers: the system's own resolver looks addresses up, and nothing else.

use super::Service;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use std::io;

/// Every SRV record of a name; none where there is no such name.
///
/// # Errors
/// No name server answered.
pub(super) async fn of(name: &str) -> io::Result<Vec<Service>> {
    // As the machine is set up now. Lookups are few: one when a session logs in.
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build()).map_err(io::Error::other)?;
    let found = match resolver.srv_lookup(format!("{name}.")).await {
        Ok(found) => found,
        Err(error) if error.is_nx_domain() || error.is_no_records_found() => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let services = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => {
            Some(Service { host: srv.target.to_ascii(), port: srv.port, priority: srv.priority, weight: srv.weight })
        }
        _ => None,
    });
    Ok(services.collect())
}
