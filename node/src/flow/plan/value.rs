//! What can be said of one value of a flow by itself: its weight, whose results it uses, and how it is written as text.

use crate::flow::definition::Named;
use crate::flow::hole::{Part, escaped, parts};
use crate::flow::tree::{Field, Kind, Node, Refused};

/// What a value takes in memory, about.
pub(super) fn weight(node: &Node) -> usize {
    let below: usize = match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::Text(text) => text.len(),
        Kind::List(items) => items.iter().map(weight).sum(),
        Kind::Map(fields) => fields.iter().map(|field| field.name.len() + weight(&field.value)).sum(),
    };
    below + size_of::<Node>()
}

/// The tasks whose results the holes of a payload refer to.
pub(super) fn results(node: &Node, found: &mut Vec<Named>) -> Result<(), Refused> {
    match &node.kind {
        Kind::Text(text) => {
            for part in parts(text).map_err(|error| Refused::new(node.place, error.to_string()))? {
                if let Part::Result(reference) = part {
                    found.push((reference.task, node.place));
                }
            }
            Ok(())
        }
        Kind::List(items) => items.iter().try_for_each(|item| results(item, found)),
        Kind::Map(fields) => fields.iter().try_for_each(|field| results(&field.value, found)),
        Kind::Scalar(_) => Ok(()),
    }
}

/// All its texts, as they are written where holes are filled in later.
pub(super) fn escape_all(node: Node) -> Node {
    let kind = match node.kind {
        Kind::Text(text) => Kind::Text(escaped(&text)),
        Kind::List(items) => Kind::List(items.into_iter().map(escape_all).collect()),
        Kind::Map(fields) => {
            Kind::Map(fields.into_iter().map(|field| Field { value: escape_all(field.value), ..field }).collect())
        }
        scalar @ Kind::Scalar(_) => scalar,
    };
    Node { place: node.place, kind }
}

/// A text as it is, everything else as JSON.
pub(super) fn as_text(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => text.clone(),
        _ => node.to_value().to_string(),
    }
}
