//! The figures for Prometheus: what a strict reader makes of them, and that the example board and rules ask for nothing else.

use crate::fake::serve;
use hyper::Method;
use rc_node::client::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A line: name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads a page, and fails at whatever the format does not allow. Kinds by family, and the lines of each.
fn read(page: &str) -> BTreeMap<String, (String, Vec<Sample>)> {
    let mut families: BTreeMap<String, (String, Vec<Sample>)> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current = String::new();
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a text");
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{name} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(helped.contains(name), "no HELP before {line}");
            assert!(families.insert(name.to_owned(), (kind.to_owned(), Vec::new())).is_none(), "{name} twice");
            current = name.to_owned();
        } else {
            let sample = sample(line);
            let (kind, samples) = families.get_mut(&current).expect("a family before its lines");
            let own = sample.0 == current
                || (kind == "histogram"
                    && ["_bucket", "_sum", "_count"].iter().any(|end| sample.0 == format!("{current}{end}")));
            assert!(own, "{line} is not of {current}");
            samples.push(sample);
        }
    }
    families
}

fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    let Some((name, labels)) = head.split_once('{') else { return (head.to_owned(), Vec::new(), value) };
    let mut labels = labels.strip_suffix('}').expect("a bracket");
    let mut read = Vec::new();
    while !labels.is_empty() {
        let (label, rest) = labels.split_once("=\"").expect("a label");
        let mut text = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().expect("a quote") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("something escaped").1 {
                    'n' => text.push('\n'),
                    c @ ('"' | '\\') => text.push(c),
                    c => panic!("\\{c} in {line}"),
                },
                (_, c) => text.push(c),
            }
        };
        read.push((label.to_owned(), text));
        labels = rest[end + 1..].trim_start_matches(',');
    }
    (name.to_owned(), read, value)
}

async fn page() -> String {
    let served = serve().await;
    let mut client = Client::new(&served.dir.path().join("node.sock"));
    let answer = client.request(Method::GET, "/metrics", None).await.expect("figures");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(answer.body.to_vec()).expect("text")
}

#[tokio::test]
async fn a_strict_reader_understands_the_figures() {
    let families = read(&page().await);
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    for (name, (kind, samples)) in &families {
        assert!(name.starts_with("rcnode_") && name.chars().all(word), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        for unit in ["_ms", "_us", "_kb", "_mb", "_percent", "_minutes"] {
            assert!(!name.contains(unit), "{name} has no base unit");
        }
        let mut seen = BTreeSet::new();
        for (line, labels, value) in samples {
            assert!(seen.insert((line.clone(), labels.clone())), "{line} {labels:?} twice");
            assert!(
                labels.iter().all(|(label, _)| label.chars().all(word) && !label.contains("task_id")),
                "{labels:?}"
            );
            assert!(value.is_finite() && (kind == "gauge" || *value >= 0.0), "{line} {value}");
        }
        if kind == "histogram" {
            let buckets: Vec<_> = samples.iter().filter(|(line, ..)| line.ends_with("_bucket")).collect();
            let ends: Vec<f64> = buckets.iter().map(|(_, labels, _)| labels[0].1.parse().expect("a number")).collect();
            assert!(ends.windows(2).all(|pair| pair[0] < pair[1]) && ends.last() == Some(&f64::INFINITY), "{ends:?}");
            assert!(buckets.windows(2).all(|pair| pair[0].2 <= pair[1].2), "{name}");
            let count = samples.iter().find(|(line, ..)| line.ends_with("_count")).expect("a count").2;
            assert_eq!(buckets.last().map(|bucket| bucket.2), Some(count), "{name}");
        }
    }
    let value = |name: &str, label: Option<&str>| {
        let of = |labels: &[(String, String)]| label.is_none_or(|label| labels.iter().any(|(_, text)| text == label));
        families[name].1.iter().find(|(_, labels, _)| of(labels)).map(|sample| sample.2)
    };
    assert_eq!(value("rcnode_tasks_accepted_total", None), Some(12.0));
    assert_eq!(value("rcnode_tasks_ended_total", Some("completed")), Some(9.0));
    assert_eq!(value("rcnode_tasks_ended_total", Some("failed")), Some(0.0), "known to be none");
    assert_eq!(value("rcnode_attempts_ended_total", Some("odd \"type\"\\")), Some(9.0));
    assert_eq!(value("rcnode_peers", Some("idle")), Some(2.0));
    let delay = &families["rcnode_task_scheduling_delay_seconds"].1;
    let at = |end: &str| delay.iter().find(|(_, labels, _)| labels.iter().any(|(_, text)| text == end)).map(|s| s.2);
    assert_eq!((at("0.0005"), at("2.5"), at("1800"), at("+Inf")), (Some(1.0), Some(2.0), Some(2.0), Some(3.0)));
}

/// The names of figures in a text.
fn names(text: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("rcnode_").map(|(at, _)| at);
    starts.map(|at| text[at..].chars().take_while(|c| part(*c)).collect()).collect()
}

#[tokio::test]
async fn the_board_and_the_rules_ask_for_figures_that_there_are() {
    let families = read(&page().await);
    let known: BTreeSet<_> = families.values().flat_map(|(_, samples)| samples.iter().map(|s| s.0.clone())).collect();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/observability");
    for (file, at_least) in [("grafana.json", 12), ("alerts.yml", 8)] {
        let text = std::fs::read_to_string(dir.join(file)).expect(file);
        let asked = names(&text);
        assert!(asked.len() >= at_least, "{file}: {asked:?}");
        let missing: Vec<_> = asked.difference(&known).filter(|name| !families.contains_key(*name)).collect();
        assert!(missing.is_empty(), "{file} asks for {missing:?}");
    }
    let board = std::fs::read_to_string(dir.join("grafana.json")).expect("a board");
    let board: serde_json::Value = serde_json::from_str(&board).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    assert!(panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()), "every panel shows something");
}
