//! Refused addresses, and every way to write them into a URL.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One of each kind that the host refuses, IPv4.
pub const REFUSED_V4: [Ipv4Addr; 22] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 127, 127, 127),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 255, 255, 254),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 254),
    Ipv4Addr::new(192, 168, 1, 1),
    Ipv4Addr::new(169, 254, 1, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(192, 88, 99, 1),
    Ipv4Addr::new(198, 18, 0, 1),
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(203, 0, 113, 1),
    Ipv4Addr::new(240, 0, 0, 1),
    Ipv4Addr::new(224, 0, 0, 1),
];

/// The same of IPv6, beside those that stand for an IPv4 address.
pub const REFUSED_V6: [&str; 17] = [
    "::",
    "::1",
    "100::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:42::42",
    "fec0::1",
    "fe80::1",
    "ff02::1",
];

/// Addresses of clouds' metadata services, which an operator has to name one by one.
pub const METADATA: &str = "169.254.169.254/32,169.254.170.2/32,168.63.129.16/32,100.100.100.200/32,192.0.0.192/32,\
                            fd00:ec2::254/128,fd20:ce::254/128,fd00:42::42/128";

/// True for addresses to which no operating system connects a stream, listener or not.
pub fn is_unconnectable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast(),
        // A link-local address needs the name of an interface, which no URL can have.
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unicast_link_local(),
    }
}

/// How a host is written in a URL, and the address that it means.
pub struct Spelling {
    pub host: String,
    pub ip: IpAddr,
}

/// Every spelling of every refused address.
pub fn all() -> Vec<Spelling> {
    let mut all = Vec::new();
    for ip in REFUSED_V4 {
        all.extend(v4(ip).into_iter().map(|host| Spelling { host, ip: ip.into() }));
        all.extend(embedded(ip).into_iter().map(|v6| Spelling { host: format!("[{v6}]"), ip: v6.into() }));
    }
    // The same six addresses within IPv6, as a person would write them.
    for ip in REFUSED_V4.into_iter().filter(|ip| !ip.is_multicast()).take(9) {
        for (host, v6) in dotted_within(ip) {
            all.push(Spelling { host: format!("[{host}]"), ip: v6.into() });
        }
    }
    for text in REFUSED_V6 {
        let ip: Ipv6Addr = text.parse().expect("an address");
        let long = ip.segments().map(|segment| format!("{segment:04X}")).join(":");
        let short = ip.segments().map(|segment| format!("{segment:x}")).join(":");
        all.extend([text.to_owned(), long, short].map(|host| Spelling { host: format!("[{host}]"), ip: ip.into() }));
    }
    all.sort_by(|one, other| one.host.cmp(&other.host));
    all.dedup_by(|one, other| one.host == other.host);
    all
}

fn v4(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let whole = u32::from(ip);
    let (three, two) = (whole & 0xff_ffff, whole & 0xffff);
    let dotted = ip.to_string();
    let wide = |text: &str| {
        let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit)).unwrap_or(c);
        text.chars().map(digit).collect::<String>()
    };
    vec![
        dotted.clone(),
        format!("{dotted}."),
        whole.to_string(),
        format!("{whole}."),
        format!("{whole:#x}"),
        format!("0X{whole:X}"),
        format!("{whole:#012x}"),
        format!("0{whole:o}"),
        format!("{a}.{three}"),
        format!("{a}.{b}.{two}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.000{b:o}.000{c:o}.000{d:o}"),
        format!("{a:#x}.0{b:o}.{c}.{d}"),
        format!("{a:#x}.{three:#x}"),
        format!("0{a:o}.{b}.{two:#x}"),
        dotted.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        dotted.replace('.', "%2E"),
        wide(&dotted),
        dotted.replace('.', "\u{3002}"),
        dotted.replace('.', "\u{ff0e}"),
        dotted.replace('.', "\u{ff61}"),
        dotted.replace('1', "\u{2460}").replace('2', "\u{00b2}"),
    ]
}

fn join(ip: Ipv4Addr) -> (u16, u16) {
    let [a, b, c, d] = ip.octets();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// IPv6 addresses that stand for an IPv4 address.
fn embedded(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let (high, low) = join(ip);
    vec![
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !high, !low),
        Ipv6Addr::new(0x2a00, 1, 0, 0, 0, 0x5efe, high, low),
    ]
}

/// The same with the IPv4 address in dots, in more than one way.
fn dotted_within(ip: Ipv4Addr) -> Vec<(String, Ipv6Addr)> {
    let (high, low) = join(ip);
    let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low);
    vec![
        (format!("::ffff:{ip}"), mapped),
        (format!("::FFFF:{ip}"), mapped),
        (format!("0:0:0:0:0:ffff:{ip}"), mapped),
        (format!("0000:0000:0000:0000:0000:ffff:{ip}"), mapped),
        (format!("64:ff9b::{ip}"), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
        (format!("::ffff:0:{ip}"), Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low)),
    ]
}

/// URLs that read as one host to one reader and as another to the next. `{p}` is the port.
pub const TRICKS: [&str; 22] = [
    "http://93.184.216.34@10.0.0.1:{p}/",
    "http://93.184.216.34:80@10.0.0.1:{p}/",
    "http://user:password@10.0.0.1:{p}/",
    "http://@10.0.0.1:{p}/",
    "http://10.0.0.1:{p}#@93.184.216.34/",
    "http://10.0.0.1:{p}?@93.184.216.34/",
    "http://10.0.0.1:{p}\\@93.184.216.34/",
    "http://93.184.216.34\\@10.0.0.1:{p}/",
    "http:\\\\10.0.0.1:{p}\\",
    "http:10.0.0.1:{p}/",
    "http:/10.0.0.1:{p}/",
    "http:///10.0.0.1:{p}/",
    "//10.0.0.1:{p}/",
    "\thttp://10.0.0.1:{p}/",
    "http://10.0\t.0.1:{p}/",
    "http://10.0.0\n.1:{p}/",
    "http://[fe80::1%25lo]:{p}/",
    "http://[::1%lo]:{p}/",
    "http://[10.0.0.1]:{p}/",
    "http://10.0.0.1%00.example.com:{p}/",
    "http://10.0.0.1%23.example.com:{p}/",
    "http://10.0.0.1\u{ad}:{p}/",
];
