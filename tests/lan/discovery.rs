//! Who finds whom, how fast, and who never does.

use crate::lan::{Lan, NAMES, PATIENCE, note};
use crate::net::Family;
use crate::wait::until;
use std::time::{Duration, Instant};

/// From the start of the last device until all see all.
const MDNS_TIME_MAX: Duration = Duration::from_secs(3);
/// The same over one known address, for which nobody promised a time: a lookup, a dial and a second look.
const KADEMLIA_TIME_MAX: Duration = Duration::from_secs(15);
/// How long strangers are watched. They announce themselves every few seconds at first.
const WATCH: Duration = Duration::from_secs(6);

/// The address that another device is told, from what the node says it listens on.
fn dialable(lan: &Lan, host: usize) -> String {
    let address = lan.net.address(host);
    let (found, _) = until("it listens on the LAN", PATIENCE, || {
        let status = lan.devices[host].json(&["status"]);
        let listening = status["listening"].as_array().into_iter().flatten().filter_map(|text| text.as_str());
        let own = listening.map(str::to_owned).find(|text| text.contains(&format!("/{address}/")));
        own.ok_or_else(|| format!("{status:#}"))
    });
    found
}

#[test]
fn devices_with_the_ticket_find_each_other_by_mdns_within_3_s() {
    let Some(mut lan) = Lan::new(3, Family::Both) else { return };
    lan.join(&[0, 1, 2]);
    let began = Instant::now();
    lan.start(&[0, 1, 2]);
    lan.all_see_all();
    let together = began.elapsed();
    // One that comes later, too: the others have stopped asking often.
    lan.devices[2].kill();
    lan.see_each_other(&[0, 1], PATIENCE);
    let began = Instant::now();
    lan.start(&[2]);
    lan.all_see_all();
    let later = began.elapsed();
    note(&format!("mDNS: three at once after {together:?}, one more after {later:?}"));
    assert!(together <= MDNS_TIME_MAX && later <= MDNS_TIME_MAX, "{together:?}, {later:?}");
}

#[test]
fn one_address_is_enough_where_there_is_no_mdns() {
    let Some(mut lan) = Lan::new(5, Family::Both) else { return };
    lan.join(&[0, 1, 2, 3, 4]);
    for host in 0..5 {
        lan.devices[host].flags = vec!["--no-mdns".to_owned()];
        // A chain: the last knows only the last but one.
        if host > 0 {
            let known = dialable(&lan, host - 1);
            lan.devices[host].flags.extend(["--peer".to_owned(), known]);
        }
        lan.devices[host].start();
    }
    let took = lan.see_each_other(&[0, 1, 2, 3, 4], KADEMLIA_TIME_MAX);
    note(&format!("Kademlia: five in a chain see each other {took:?} after the last answered"));
    // Not only by hearsay: each is connected to each.
    for device in &lan.devices {
        until("it has an address of everyone", KADEMLIA_TIME_MAX, || {
            let peers = device.json(&["peers"]);
            let far = peers.as_array().into_iter().flatten().filter(|peer| peer["me"] == false);
            let known = far.filter(|peer| peer["address"].is_string()).count();
            if known == 4 { Ok(()) } else { Err(format!("{peers:#}")) }
        });
    }
}

#[test]
fn two_clusters_and_a_stranger_share_a_lan_and_never_mix() {
    let Some(mut lan) = Lan::new(5, Family::Both) else { return };
    lan.join(&[0, 1]);
    lan.join(&[2, 3]);
    lan.start(&[0, 1, 2, 3]);
    // The stranger has no ticket, and is even told where to knock.
    let door = dialable(&lan, 0);
    lan.devices[4].flags = ["--peer", &door].map(String::from).into();
    lan.start(&[4]);
    let groups: [&[usize]; 3] = [&[0, 1], &[2, 3], &[4]];
    for group in groups {
        lan.see_each_other(group, PATIENCE);
    }
    let ids = [0, 2, 4].map(|host| lan.devices[host].submit(&["echo", "--payload", &host.to_string()]));
    let until = Instant::now() + WATCH;
    while Instant::now() < until {
        for group in groups {
            lan.see_each_other(group, Duration::ZERO);
        }
    }
    for (group, id) in groups.iter().zip(&ids) {
        for (host, device) in lan.devices.iter().enumerate() {
            if group.contains(&host) {
                assert_eq!(device.result(id, PATIENCE)["result"], group[0], "{}", device.name);
            } else {
                assert_eq!(device.say(&["result", id]).code, 3, "{} knows another cluster's", device.name);
            }
        }
    }
}

#[test]
fn devices_without_ipv4_find_each_other_and_work() {
    let Some(mut lan) = Lan::new(3, Family::V6) else { return };
    lan.join(&[0, 1, 2]);
    // Two by mDNS; the third has only an address.
    lan.start(&[0, 1]);
    let took = lan.see_each_other(&[0, 1], PATIENCE);
    let known = dialable(&lan, 1);
    lan.devices[2].flags = ["--no-mdns", "--peer", &known].map(String::from).into();
    lan.start(&[2]);
    lan.all_see_all();
    note(&format!("IPv6: two by mDNS {took:?} after they answered"));
    let id = lan.devices[2].submit(&["echo", "--payload", "6", "--exclude-devices", NAMES[2]]);
    assert_eq!(lan.devices[0].result(&id, PATIENCE)["result"], 6);
}

#[test]
fn an_interface_may_go_away_and_come_back_with_another_address() {
    let Some(mut lan) = Lan::cluster(3, &[]) else { return };
    lan.net.remove_interface(2);
    lan.see_each_other(&[0, 1], PATIENCE);
    lan.see_each_other(&[2], PATIENCE);
    assert!(lan.devices[2].is_alive());
    // The router gives it a new lease.
    lan.net.add_interface(2, 8);
    let back = lan.see_each_other(&[0, 1, 2], PATIENCE);
    note(&format!("an interface with another address: all see all {back:?} after it came"));
    let id = lan.devices[0].submit(&["echo", "--payload", "2", "--only-devices", NAMES[2]]);
    assert_eq!(lan.devices[1].result(&id, PATIENCE)["result"], 2);
}
