//! Hosts that know each other by DNS alone: each in a network namespace of its own, with its own address and its own port 25.

use crate::site::Site;
use harness::{Call, Outcome, Running, is_root, scratch, settles, skipped};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A network of the test's own: a bridge, hosts, and dnsmasq, which knows all of them. Gone at the end.
pub struct Network {
    name: String,
    hosts: Vec<String>,
    scratch: tempfile::TempDir,
    records: Vec<String>,
    dns: Option<Running>,
}

/// What a host needs to run something in its place in the network.
pub struct Place {
    namespace: String,
    resolv_conf: PathBuf,
    /// Where others reach it.
    pub address: String,
}

impl Network {
    /// Makes it without hosts, or says why that is not possible.
    pub fn new() -> Option<Network> {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        if !is_root() {
            skipped("only root can make a network");
            return None;
        }
        if harness::installed("ip").is_none() || harness::installed("dnsmasq").is_none() {
            skipped("iproute2 or dnsmasq is not installed");
            return None;
        }
        let name = format!("suite-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut network =
            Network { name, hosts: Vec::new(), scratch: scratch(), records: Vec::new(), dns: None };
        let made = shell(&format!(
            "ip netns add {0} && ip -n {0} link set lo up && ip -n {0} link add bridge type bridge",
            network.name
        ));
        if made.code != 0 {
            skipped(&format!("no network of our own: {}", made.err_text().trim()));
            return None;
        }
        network.must("ip -n NET link set bridge up");
        network.must(&format!("ip -n NET address add {DNS}/24 dev bridge"));
        fs::write(network.scratch.path().join("resolv.conf"), format!("nameserver {DNS}\n"))
            .expect("resolv.conf");
        network.publish();
        Some(network)
    }

    /// A host of this name, with its address in DNS: an installation that is named after it, in which nothing runs.
    pub fn host(&mut self, name: &str) -> Option<Site> {
        let site = Site::in_network(self.place(name))?;
        site.types(&format!("qmail-setup config /var/qmail {name}"));
        Some(site)
    }

    /// The place of a host, for another mail system than ours.
    pub fn place(&mut self, name: &str) -> Place {
        let number = self.hosts.len() + 1;
        let (namespace, address) = (format!("{}-{number}", self.name), format!("10.9.0.{}", number + 1));
        self.hosts.push(namespace.clone());
        self.must(&format!(
            "ip netns add {namespace} && ip -n {namespace} link set lo up &&
            ip -n {namespace} link add eth0 type veth peer name port{number} netns NET &&
            ip -n NET link set port{number} master bridge up &&
            ip -n {namespace} address add {address}/24 dev eth0 && ip -n {namespace} link set eth0 up"
        ));
        self.record(&format!("host-record={name},{address}"));
        Place { namespace, resolv_conf: self.scratch.path().join("resolv.conf"), address }
    }

    /// Sets up an MX record, in the place of the one that the domain had.
    pub fn exchanger(&mut self, domain: &str, host: &str) {
        let start = format!("mx-host={domain},");
        self.records.retain(|record| !record.starts_with(&start));
        self.record(&format!("{start}{host},10"));
    }

    /// Sets up a record as dnsmasq writes it.
    pub fn record(&mut self, record: &str) {
        self.records.push(record.to_owned());
        self.publish();
    }

    /// Starts the DNS server (again). It is ready when this returns.
    pub fn publish(&mut self) {
        self.end_dns();
        let (settings, log) =
            (self.scratch.path().join("dnsmasq.conf"), self.scratch.path().join("dnsmasq.log"));
        let records = self.records.join("\n");
        // It asks no other server: what it does not know does not exist.
        let text = format!(
            "no-resolv\nno-hosts\nuser=root\nbind-interfaces\nlisten-address={DNS}\naddress=/#/\nlog-facility=-\n{records}\n"
        );
        fs::write(&settings, text).expect("dnsmasq.conf");
        let output = File::create(&log).expect("its log");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "dnsmasq", "--keep-in-foreground"]);
        command.arg(format!("--conf-file={}", settings.display()));
        command.env("PATH", PATH).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        self.dns = Some(Running::start(&mut command));
        let text = || fs::read_to_string(&log).unwrap_or_default();
        assert!(settles(|| text().contains(" started, ")), "{}", text());
    }

    /// Ends the DNS server.
    pub fn end_dns(&mut self) {
        self.dns = None;
    }

    fn must(&self, command: &str) {
        let outcome = shell(&command.replace("NET", &self.name));
        assert_eq!(outcome.code, 0, "{command}: {}", outcome.err_text());
    }
}

impl Place {
    /// A program that runs there.
    pub fn runs(&self, command: &str) -> Running {
        let words = self.shell();
        let mut shell = Command::new(&words[0]);
        shell.args(&words[1..]).arg(format!("exec {command}")).env("PATH", PATH).stdin(Stdio::null());
        Running::start(&mut shell)
    }

    /// The words that run a shell there, with its resolv.conf in the place of the system's; what it is to do comes after them.
    pub fn shell(&self) -> Vec<String> {
        let resolv_conf = self.resolv_conf.display();
        let script = format!("mount --bind {resolv_conf} \"$(readlink -f /etc/resolv.conf)\" && eval \"$1\"");
        let words = ["ip", "netns", "exec", &self.namespace, "/bin/sh", "-c", &script, "sh"];
        words.map(str::to_owned).to_vec()
    }
}

impl Drop for Network {
    /// What runs in it ends with its host, which goes before it or after it.
    fn drop(&mut self) {
        self.end_dns();
        for namespace in self.hosts.iter().chain([&self.name]) {
            shell(&format!("ip netns del {namespace}"));
        }
    }
}

fn shell(command: &str) -> Outcome {
    Call::path(Path::new("/bin/sh")).args(["-c", command]).env("PATH", PATH).run()
}

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The address of the DNS server.
const DNS: &str = "10.9.0.1";
