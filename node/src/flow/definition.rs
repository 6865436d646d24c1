//! What a flow's file says: tasks by name, groups, chains, variables. Refuses what makes no sense whatever the variables are.

use super::hole::is_name;
use super::tree::{Field, Kind, Node, Place, Refused};
use std::collections::BTreeMap;

/// What a file may have at its top.
const TOP: [&str; 7] = ["name", "description", "variables", "defaults", "tasks", "groups", "chains"];
/// What a task may have: the fields of a task, and what only a flow's has.
const TASK: [&str; 10] = [
    "task_type",
    "payload",
    "priority",
    "requirements",
    "retry",
    "sandbox",
    "required_permissions",
    "blobs",
    "labels",
    "metadata",
];
/// Names that a task's own variables have.
pub(super) const OWN: [&str; 2] = ["item", "index"];

/// A name, and where it is written.
pub(super) type Named = (String, Place);

/// A flow as it is written.
#[derive(Clone, Debug)]
pub struct Definition {
    /// For people.
    pub name: Option<String>,
    /// Likewise.
    pub description: Option<String>,
    pub(super) variables: BTreeMap<String, Node>,
    pub(super) defaults: Vec<Field>,
    pub(super) tasks: Vec<Task>,
    pub(super) groups: BTreeMap<String, Vec<Named>>,
    pub(super) chains: Vec<Vec<Named>>,
}

/// A task as it is written.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) fields: Vec<Field>,
    pub(super) after: Vec<Named>,
    /// It is a group: one for each of these.
    pub(super) each: Option<Node>,
}

impl Definition {
    /// Reads a tree.
    ///
    /// # Errors
    /// Names what is wrong and where: unknown fields, names that are none or come twice, lists that are none.
    pub fn new(root: &Node) -> Result<Self, Refused> {
        if !matches!(root.kind, Kind::Map(_)) {
            return Err(Refused::new(
                root.place,
                format!("a flow is a table with `tasks`, and this is {}", root.word()),
            ));
        }
        known(root.fields(), &TOP, "a flow")?;
        let mut defaults = Vec::new();
        if let Some(node) = root.get("defaults") {
            defaults = table(node, "defaults")?.to_vec();
            known(&defaults, &TASK, "a task")?;
        }
        let mut variables = BTreeMap::new();
        for field in root.get("variables").map_or(Ok(&[][..]), |node| table(node, "variables"))? {
            check_name(&field.name, field.place, "a variable")?;
            if OWN.contains(&field.name.as_str()) {
                return Err(Refused::new(field.place, format!("`{}` is what `each` calls its own", field.name)));
            }
            variables.insert(field.name.clone(), field.value.clone());
        }
        let mut this = Self {
            name: root.get("name").map(|node| text(node, "name")).transpose()?,
            description: root.get("description").map(|node| text(node, "description")).transpose()?,
            variables,
            defaults,
            tasks: tasks(root)?,
            groups: BTreeMap::new(),
            chains: Vec::new(),
        };
        for field in root.get("groups").map_or(Ok(&[][..]), |node| table(node, "groups"))? {
            check_name(&field.name, field.place, "a group")?;
            if this.tasks.iter().any(|task| task.name == field.name) {
                return Err(Refused::new(field.place, format!("`{}` is a task already", field.name)));
            }
            this.groups.insert(field.name.clone(), names(&field.value, "a group")?);
        }
        if let Some(node) = root.get("chains") {
            this.chains = chains(node)?;
        }
        Ok(this)
    }
}

fn tasks(root: &Node) -> Result<Vec<Task>, Refused> {
    let none = || Refused::new(root.place, "there are no `tasks`");
    let node = root.get("tasks").ok_or_else(none)?;
    let mut tasks: Vec<Task> = Vec::new();
    match &node.kind {
        Kind::Map(fields) => {
            for field in fields {
                tasks.push(task(field.name.clone(), field.place, &field.value)?);
            }
        }
        Kind::List(items) => {
            for item in items {
                let name = item.get("name").ok_or_else(|| Refused::new(item.place, "the task has no `name`"))?;
                let place = name.place;
                let name = text(name, "name")?;
                let fields = table(item, "a task")?.iter().filter(|field| field.name != "name").cloned().collect();
                tasks.push(task(name, place, &Node { place: item.place, kind: Kind::Map(fields) })?);
            }
        }
        _ => return Err(Refused::new(node.place, format!("`tasks` is {}, not a table", node.word()))),
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = tasks.iter().find(|task| !seen.insert(&task.name)) {
        return Err(Refused::new(twice.place, format!("there are two tasks called `{}`", twice.name)));
    }
    if tasks.is_empty() { Err(none()) } else { Ok(tasks) }
}

fn task(name: String, place: Place, node: &Node) -> Result<Task, Refused> {
    check_name(&name, place, "a task")?;
    let fields = table(node, "a task")?;
    let own = |field: &&Field| matches!(field.name.as_str(), "after" | "each");
    let rest: Vec<Field> = fields.iter().filter(|field| !own(field)).cloned().collect();
    known(&rest, &TASK, "a task")?;
    let after = node.get("after").map_or(Ok(Vec::new()), |node| names(node, "`after`"))?;
    Ok(Task { name, place, fields: rest, after, each: node.get("each").cloned() })
}

/// A list of lists, or one list, of names.
fn chains(node: &Node) -> Result<Vec<Vec<Named>>, Refused> {
    let Kind::List(items) = &node.kind else {
        return Err(Refused::new(node.place, format!("`chains` is {}, not a list", node.word())));
    };
    if items.iter().all(|item| matches!(item.kind, Kind::Text(_))) {
        return Ok(Vec::from([names(node, "a chain")?]));
    }
    items.iter().map(|item| names(item, "a chain")).collect()
}

/// One name, or a list of them.
fn names(node: &Node, what: &str) -> Result<Vec<Named>, Refused> {
    let one = |node: &Node| match &node.kind {
        Kind::Text(text) => Ok((text.clone(), node.place)),
        _ => Err(Refused::new(node.place, format!("{what} has names of tasks, and this is {}", node.word()))),
    };
    match &node.kind {
        Kind::List(items) => items.iter().map(one).collect(),
        _ => one(node).map(|name| Vec::from([name])),
    }
}

fn table<'a>(node: &'a Node, what: &str) -> Result<&'a [Field], Refused> {
    match &node.kind {
        Kind::Map(fields) => Ok(fields),
        _ => Err(Refused::new(node.place, format!("{what}: is {}, not a table", node.word()))),
    }
}

fn text(node: &Node, what: &str) -> Result<String, Refused> {
    match &node.kind {
        Kind::Text(text) => Ok(text.clone()),
        _ => Err(Refused::new(node.place, format!("`{what}` is {}, not a text", node.word()))),
    }
}

fn known(fields: &[Field], names: &[&str], of: &str) -> Result<(), Refused> {
    match fields.iter().find(|field| !names.contains(&field.name.as_str())) {
        Some(field) => {
            let all = names.join(", ");
            Err(Refused::new(field.place, format!("unknown field `{}`; {of} has {all}", field.name)))
        }
        None => Ok(()),
    }
}

fn check_name(name: &str, place: Place, of: &str) -> Result<(), Refused> {
    if is_name(name) {
        return Ok(());
    }
    let max = super::hole::NAME_CHARS_MAX;
    Err(Refused::new(place, format!("{name:?} cannot be the name of {of}: letters, digits, _ and -, at most {max}")))
}
