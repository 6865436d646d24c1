//! Tickets survive the way through paper and chat, and say what is wrong when they do not.

use super::*;

fn ticket(addresses: &[&str]) -> Ticket {
    let secret = Secret::from(std::array::from_fn(|i| i as u8));
    Ticket::new(secret, addresses.iter().map(|address| address.parse().unwrap()))
}

const TWO: &[&str] = &["/ip4/192.168.1.20/tcp/4001", "/ip6/fd00::7/tcp/4001"];

#[test]
fn text_is_stable() {
    // A ticket on paper outlives the program that printed it.
    assert_eq!(
        ticket(&["/ip4/192.168.1.20/tcp/4001"]).to_string(),
        "rc1aavaaaicamcakbqhbaequcymbuha6earcijrifiwc4mbsgq3dqor4hybbacmbkabcqda7iklfvusc"
    );
}

#[test]
fn reads_what_it_writes() {
    for addresses in [&[][..], TWO] {
        let original = ticket(addresses);
        let text = original.to_string();
        assert!(text.starts_with("rc1"));
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{text}");
        assert_eq!(text.parse::<Ticket>().unwrap(), original);
        assert_eq!(
            format!(" {}\n", text.to_uppercase()).parse::<Ticket>().unwrap(),
            original,
            "QR codes are upper case"
        );
    }
}

#[test]
fn keeps_few_addresses() {
    let many = ["/ip4/10.0.0.1/tcp/1"; TICKET_ADDRESSES_MAX + 3];
    assert_eq!(ticket(&many).addresses().len(), TICKET_ADDRESSES_MAX);
}

#[test]
fn names_what_is_wrong() {
    let good = ticket(TWO).to_string();
    let table: Vec<(String, TicketError)> = vec![
        (String::new(), TicketError::NotATicket),
        ("hello".into(), TicketError::NotATicket),
        ("é".into(), TicketError::NotATicket),
        ("rcx".into(), TicketError::NotATicket),
        (format!("rc1{}", "a".repeat(5000)), TicketError::NotATicket),
        ("rc".into(), TicketError::Truncated),
        ("rc1".into(), TicketError::Truncated),
        (good.replacen("rc1", "rc2", 1), TicketError::OtherVersion('2')),
        (format!("{}!{}", &good[..9], &good[10..]), TicketError::Character { position: 10 }),
        (format!("{good}a"), TicketError::Checksum),
        (format!("{good}aaaaaaaa"), TicketError::Checksum),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse::<Ticket>().unwrap_err(), expected, "{text:?}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let good = ticket(TWO).to_string();
    for end in 3..good.len() {
        assert_eq!(good[..end].parse::<Ticket>().unwrap_err(), TicketError::Truncated, "cut at {end}");
    }
}

#[test]
fn every_typing_error_is_noticed() {
    let good = ticket(TWO).to_string();
    for at in 3..good.len() {
        let wrong = if &good[at..=at] == "q" { "r" } else { "q" };
        let text = format!("{}{wrong}{}", &good[..at], &good[at + 1..]);
        let error = text.parse::<Ticket>().unwrap_err();
        assert!(matches!(error, TicketError::Checksum | TicketError::Truncated), "{error:?} at {at}");
    }
}

#[test]
fn debug_hides_the_secret() {
    let shown = format!("{:?} {:?}", ticket(TWO), ticket(TWO).secret());
    assert!(!shown.contains("1, 2, 3") && !shown.contains("010203"), "{shown}");
}
