//! 3.3: several virtual domains of one user, each with a prefix of its own, so that he treats them differently.

use crate::site::Site;

#[test]
fn each_domain_has_instructions_of_its_own() {
    let Some(site) = Site::new() else { return };
    let bob = site.user("suite-q3-3");
    bob.write(".qmail-nowhere-default", "./Nowhere\n");
    bob.write(".qmail-everywhere-default", "./Everywhere\n");
    bob.write(".qmail-everywhere-info", "./Info\n");
    site.boots();
    let domains = "nowhere.mil:suite-q3-3-nowhere\neverywhere.org:suite-q3-3-everywhere\n";
    site.write("/var/qmail/control/virtualdomains", domains);
    site.types("echo nowhere.mil >> /var/qmail/control/rcpthosts; echo everywhere.org >> /var/qmail/control/rcpthosts");
    site.gives_a_hup();
    for recipient in ["info@nowhere.mil", "info@everywhere.org", "x@everywhere.org"] {
        site.sends("s@src.example", recipient, recipient);
    }
    site.delivers_all();
    for (file, subject) in
        [("Nowhere", "info@nowhere.mil"), ("Info", "info@everywhere.org"), ("Everywhere", "x@everywhere.org")]
    {
        let text = std::fs::read_to_string(bob.home.join(file)).expect(file);
        assert_eq!(text.matches("\nSubject: ").count(), 1, "{file}");
        assert!(text.contains(&format!("\nSubject: {subject}\n")), "{file}: {text}");
    }
}
