//! What the operator allows beyond the public internet, and what stays refused whatever is allowed.

use super::address::{self, AddressClass};
use super::failure::Failure;
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// The operator's egress settings. The default: the public internet over TLS, nothing else.
#[derive(Clone, Default)]
pub struct EgressPolicy {
    /// Networks beyond the public internet. A metadata address needs an entry of its own (`/32`, `/128`).
    pub allow: Vec<IpNet>,
    /// The host's own listeners and its database: refused whatever is allowed. An unspecified address (`0.0.0.0`) means
    /// every address of this machine.
    pub refuse: Vec<SocketAddr>,
    /// Plain `http://` to any network, not only to allowed ones.
    pub plaintext: bool,
    /// Every request goes through this HTTP proxy (`http://proxy:3128`). The policy judges the destination first; the
    /// proxy resolves its name again, and must keep rules of its own against a name that changes in between.
    pub proxy: Option<String>,
}

impl fmt::Debug for EgressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy.as_ref().map(|_| "set"); // its URL may hold a password
        let Self { allow, refuse, plaintext, proxy: _ } = self;
        let mut shown = f.debug_struct("EgressPolicy");
        shown
            .field("allow", allow)
            .field("refuse", refuse)
            .field("plaintext", plaintext)
            .field("proxy", &proxy)
            .finish()
    }
}

impl EgressPolicy {
    /// Judges one address that a connection would go to.
    ///
    /// `plain`: without TLS. `named`: the host as the URL has it, for the message.
    ///
    /// # Errors
    /// `address-not-allowed` or `plaintext-not-allowed`, in words for the customer.
    pub fn admit(&self, address: SocketAddr, plain: bool, named: &str) -> Result<(), Failure> {
        let ip = address.ip();
        if self.is_our_own(ip, address.port()) {
            return Err(refused(named, ip, "an address of this service itself", "Use the destination's own address."));
        }
        self.admit_network(ip, named)?;
        if plain && !self.plaintext && !self.lists(ip) {
            let message = format!(
                "`{named}` was to be reached without TLS, at {ip}. Use an https:// URL, or ask the operator of this service \
                 to allow that network or plain http."
            );
            return Err(Failure::denied("plaintext-not-allowed", message));
        }
        Ok(())
    }

    /// True if no address can be reached without TLS, so that a name need not be resolved to say so.
    pub(super) fn never_plain(&self) -> bool {
        !self.plaintext && self.allow.is_empty()
    }

    fn admit_network(&self, ip: IpAddr, named: &str) -> Result<(), Failure> {
        let class = address::classify(ip);
        let allowed = match class {
            AddressClass::Public => true,
            AddressClass::Metadata => {
                self.allow.iter().any(|net| net.addr() == ip && net.prefix_len() == net.max_prefix_len())
            }
            _ => self.lists(ip),
        };
        if !allowed {
            let change = match class {
                AddressClass::Metadata => {
                    "Metadata addresses are refused unless the operator names exactly this address."
                }
                _ => "Use a public address, or ask the operator of this service to allow that network.",
            };
            return Err(refused(named, ip, class.label(), change));
        }
        // An operator who allows a translating prefix has not allowed every IPv4 address behind it.
        match ip {
            IpAddr::V6(v6) => address::embedded_v4(v6).map_or(Ok(()), |v4| self.admit_network(IpAddr::V4(v4), named)),
            IpAddr::V4(_) => Ok(()),
        }
    }

    /// True if the operator allows this address's network by name.
    pub(super) fn lists(&self, ip: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&ip))
    }

    fn is_our_own(&self, ip: IpAddr, port: u16) -> bool {
        let hidden = match ip {
            IpAddr::V6(v6) => address::embedded_v4(v6).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        let hits = |ip: IpAddr| self.refuse.iter().any(|own| own.port() == port && covers(own.ip(), ip));
        hits(ip) || hidden.is_some_and(hits)
    }
}

/// True if something bound to `bound` answers at `ip` on this machine.
fn covers(bound: IpAddr, ip: IpAddr) -> bool {
    // To connect to 0.0.0.0 or :: is to connect to this machine.
    if ip.is_unspecified() || bound.is_unspecified() {
        return ip.is_unspecified() || is_local(ip);
    }
    bound == ip
}

/// True if `ip` is an address of this machine: only then can a socket be bound to it.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

fn refused(named: &str, ip: IpAddr, what: &str, change: &str) -> Failure {
    let message = if named.trim_matches(['[', ']']) == ip.to_string() {
        format!("{ip} is {what}. {change}")
    } else {
        format!("`{named}` is at {ip}, {what}. {change}")
    };
    Failure::denied("address-not-allowed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(policy: &EgressPolicy, ip: &str) -> Result<(), &'static str> {
        let ip: IpAddr = ip.parse().unwrap();
        policy.admit(SocketAddr::new(ip, 443), false, "h").map_err(|failure| failure.code)
    }

    fn allowing(nets: &[&str]) -> EgressPolicy {
        EgressPolicy { allow: nets.iter().map(|net| net.parse().unwrap()).collect(), ..EgressPolicy::default() }
    }

    #[test]
    fn only_the_public_internet_is_admitted_by_default() {
        let policy = EgressPolicy::default();
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "64:ff9b:1:2:3:4:5:6",
            "100::1",
            "2001::1",
            "2001:0:1:2:3:4:80ff:fffe",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:808:808::1",
            "2a00:1::5efe:a00:1",
            "2a00:1::200:5efe:a00:1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
        ] {
            assert_eq!(admit(&policy, ip), Err("address-not-allowed"), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::8a",
            "2001:4860:4860::8888",
            "2003::1",
        ] {
            assert_eq!(admit(&policy, ip), Ok(()), "{ip}");
        }
    }

    #[test]
    fn metadata_needs_an_entry_of_its_own() {
        let wide = allowing(&["0.0.0.0/0", "::/0"]);
        assert_eq!(admit(&wide, "10.0.0.1"), Ok(()));
        for ip in ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"] {
            assert_eq!(admit(&wide, ip), Err("address-not-allowed"), "{ip}");
        }
        assert_eq!(admit(&allowing(&["169.254.169.254/32"]), "169.254.169.254"), Ok(()));
        assert_eq!(admit(&allowing(&["fd00:ec2::254/128"]), "fd00:ec2::254"), Ok(()));
    }

    #[test]
    fn an_allowed_translating_prefix_does_not_open_what_is_behind_it() {
        let policy = allowing(&["64:ff9b::/96"]);
        assert_eq!(admit(&policy, "64:ff9b::808:808"), Ok(()));
        assert_eq!(admit(&policy, "64:ff9b::a00:1"), Err("address-not-allowed"));
    }

    #[test]
    fn own_listeners_stay_refused_whatever_is_allowed() {
        let mut policy = allowing(&["0.0.0.0/0", "::/0"]);
        policy.refuse =
            vec!["127.0.0.1:8080".parse().unwrap(), "[::]:9464".parse().unwrap(), "10.9.8.7:5432".parse().unwrap()];
        let at = |at: &str| policy.admit(at.parse().unwrap(), false, "h").map_err(|failure| failure.code);
        for own in [
            "127.0.0.1:8080",
            "0.0.0.0:8080",
            "[::]:8080",
            "[::ffff:127.0.0.1]:8080",
            "[64:ff9b::7f00:1]:8080",
            "127.0.0.1:9464",
            "127.9.9.9:9464",
            "[::1]:9464",
            "0.0.0.0:9464",
            "10.9.8.7:5432",
            "[::ffff:10.9.8.7]:5432",
        ] {
            assert_eq!(at(own), Err("address-not-allowed"), "{own}");
        }
        for other in ["127.0.0.1:8081", "10.9.8.7:443", "192.0.2.77:9464"] {
            assert_eq!(at(other), Ok(()), "{other}");
        }
    }

    #[test]
    fn plaintext_goes_to_allowed_networks_only_unless_the_operator_says_otherwise() {
        let mut policy = allowing(&["10.0.0.0/8"]);
        let plain = |policy: &EgressPolicy, ip: &str| {
            policy.admit(SocketAddr::new(ip.parse().unwrap(), 80), true, "h").map_err(|failure| failure.code)
        };
        assert_eq!(plain(&policy, "10.0.0.1"), Ok(()));
        assert_eq!(plain(&policy, "1.1.1.1"), Err("plaintext-not-allowed"));
        policy.plaintext = true;
        assert_eq!(plain(&policy, "1.1.1.1"), Ok(()));
        assert_eq!(plain(&policy, "192.168.0.1"), Err("address-not-allowed"));
    }

    #[test]
    fn messages_say_which_address_and_what_to_change() {
        let failure =
            EgressPolicy::default().admit("10.0.0.7:443".parse().unwrap(), false, "hooks.example.com").unwrap_err();
        assert_eq!(
            failure.message,
            "`hooks.example.com` is at 10.0.0.7, a private address. Use a public address, or ask the operator of this \
             service to allow that network."
        );
    }
}
