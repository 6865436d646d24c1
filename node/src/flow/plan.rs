//! A flow with its variables filled in: the tasks as they are handed in, each after those that it waits for. Everything that can be
//! wrong is found here, before anything is sent.

mod value;

use super::definition::{Definition, Named, OWN, Task};
use super::hole::{Part, escaped, parts};
use super::order::order;
use super::tree::{Field, Kind, Node, Place, Refused};
use rc_scheduler::TaskId;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use value::{as_text, escape_all, results, weight};

/// Most tasks of a flow.
pub const TASKS_MAX: usize = 10_000;
/// Most tasks that one waits for.
pub const AFTER_MAX: usize = 1_024;
/// Most tasks whose results one uses.
pub const USES_MAX: usize = 15;
/// Most bytes of all tasks together with their variables filled in, as they are held in memory: a short file can say much.
const FILLED_BYTES_MAX: usize = 64 << 20;

/// A flow that can be handed in.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For people.
    pub name: Option<String>,
    /// Likewise.
    pub description: Option<String>,
    /// In an order in which each comes after those that it waits for.
    pub tasks: Vec<Planned>,
}

/// A task of a flow.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// The fields of the request; holes for results are left in the payload.
    request: Node,
    /// The places in [`Plan::tasks`] of those that it waits for, rising.
    pub after: Vec<usize>,
    /// Tasks that are there already.
    pub ids: Vec<TaskId>,
    /// Of `after`, those whose results it uses.
    pub uses: Vec<usize>,
}

impl Planned {
    /// The request as the API takes it.
    #[must_use]
    pub fn request(&self) -> Value {
        self.request.to_value()
    }

    /// The kind of work.
    #[must_use]
    pub fn task_type(&self) -> &str {
        match self.request.get("task_type").map(|node| &node.kind) {
            Some(Kind::Text(text)) => text,
            _ => "",
        }
    }

    /// What is wrong with a field of the request, with its place in the file as far as it has one.
    #[must_use]
    pub fn refused(&self, field: &str, message: &str) -> Refused {
        let (mut node, mut place) = (&self.request, self.place);
        for part in field.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
            let Some(next) = node.fields().iter().find(|field| field.name == part) else { break };
            (node, place) = (&next.value, next.place);
        }
        Refused::new(place, format!("task `{}`: `{field}`: {message}", self.name))
    }
}

impl Plan {
    /// Fills in the variables: those of the file, and over them `set`.
    ///
    /// # Errors
    /// Names what is wrong and where: a variable without a value, a dependency that is no task, a circle, a hole that makes no sense.
    pub fn new(definition: &Definition, set: &BTreeMap<String, Value>) -> Result<Self, Refused> {
        let mut planner = Planner { definition, variables: BTreeMap::new(), used: BTreeSet::new(), bytes: 0 };
        // One that is null is only declared.
        let given = |(_, node): &(&String, &Node)| node.kind != Kind::Scalar(Value::Null);
        for (name, node) in definition.variables.iter().filter(given) {
            planner.variables.insert(name.clone(), node.clone());
        }
        for (name, value) in set {
            planner.variables.insert(name.clone(), Node::at(Place { line: 1, column: 1 }, value.clone()));
        }
        let plan = planner.plan()?;
        let known = |name: &String| definition.variables.contains_key(name) || planner.used.contains(name);
        if let Some(typo) = set.keys().find(|name| !known(name)) {
            let all: BTreeSet<_> = definition.variables.keys().chain(&planner.used).map(String::as_str).collect();
            let all: Vec<_> = all.into_iter().collect();
            let has = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            let message = format!("the flow has no variable `{typo}`; it has {has}");
            return Err(Refused::new(Place { line: 1, column: 1 }, message));
        }
        Ok(plan)
    }
}

struct Planner<'a> {
    definition: &'a Definition,
    variables: BTreeMap<String, Node>,
    used: BTreeSet<String>,
    /// What was filled in so far.
    bytes: usize,
}

/// A task with its variables filled in, before dependencies are looked up.
struct Filled<'a> {
    task: &'a Task,
    name: String,
    request: Node,
    uses: Vec<Named>,
}

impl<'a> Planner<'a> {
    fn plan(&mut self) -> Result<Plan, Refused> {
        let mut filled = Vec::new();
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for task in &self.definition.tasks {
            let Some(each) = &task.each else {
                filled.push(self.fill(task, task.name.clone(), None)?);
                continue;
            };
            let each = self.node(each, &BTreeMap::new())?;
            let Kind::List(items) = each.kind else {
                return Err(Refused::new(each.place, format!("`each` is {}, not a list", each.word())));
            };
            let mut members = Vec::new();
            for (index, item) in items.into_iter().enumerate() {
                if filled.len() > TASKS_MAX {
                    break;
                }
                members.push(filled.len());
                filled.push(self.fill(task, format!("{}-{index}", task.name), Some((item, index)))?);
            }
            groups.insert(task.name.clone(), members);
        }
        if filled.len() > TASKS_MAX {
            return Err(Refused::new(Place { line: 1, column: 1 }, format!("there are more than {TASKS_MAX} tasks")));
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for (at, task) in filled.iter().enumerate() {
            if groups.contains_key(&task.name) || names.insert(task.name.clone(), at).is_some() {
                return Err(Refused::new(task.task.place, format!("there are two tasks called `{}`", task.name)));
            }
        }
        for (group, members) in &self.definition.groups {
            let mut all = Vec::new();
            for member in members {
                all.extend(self.tasks_called(member, &names, &groups, "the group")?);
            }
            groups.insert(group.clone(), all);
        }
        let (after, ids) = self.dependencies(&filled, &names, &groups)?;
        let order = order(&after).map_err(|circle| {
            let mut way: Vec<_> = circle.iter().map(|at| filled[*at].name.as_str()).collect();
            way.extend(way.first().copied());
            let place = circle.first().map_or(Place::default(), |at| filled[*at].task.place);
            Refused::new(place, format!("these wait for each other: {}", way.join(" after ")))
        })?;
        Ok(self.ordered(filled, &names, &after, ids, &order))
    }

    fn ordered(
        &self,
        filled: Vec<Filled<'a>>,
        names: &BTreeMap<String, usize>,
        after: &[Vec<usize>],
        ids: Vec<Vec<TaskId>>,
        order: &[usize],
    ) -> Plan {
        let mut place = vec![0; filled.len()];
        order.iter().enumerate().for_each(|(at, task)| place[*task] = at);
        let mut tasks: Vec<_> = filled
            .into_iter()
            .zip(ids)
            .enumerate()
            .map(|(at, (task, ids))| {
                let sorted = |tasks: BTreeSet<usize>| tasks.into_iter().collect::<Vec<_>>();
                let uses = task.uses.iter().filter_map(|(name, _)| names.get(name)).map(|at| place[*at]).collect();
                Planned {
                    name: task.name,
                    place: task.task.place,
                    request: task.request,
                    after: sorted(after[at].iter().map(|dep| place[*dep]).collect()),
                    ids,
                    uses: sorted(uses),
                }
            })
            .zip(place.iter().copied())
            .collect();
        tasks.sort_by_key(|(_, place)| *place);
        Plan {
            name: self.definition.name.clone(),
            description: self.definition.description.clone(),
            tasks: tasks.into_iter().map(|(task, _)| task).collect(),
        }
    }

    /// Whom each waits for: tasks of the flow, and tasks that are there already.
    #[expect(clippy::type_complexity, reason = "two lists by place")]
    fn dependencies(
        &self,
        filled: &[Filled<'_>],
        names: &BTreeMap<String, usize>,
        groups: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(Vec<Vec<usize>>, Vec<Vec<TaskId>>), Refused> {
        let mut after = vec![BTreeSet::new(); filled.len()];
        let mut ids = vec![Vec::new(); filled.len()];
        for (at, task) in filled.iter().enumerate() {
            for named in &task.task.after {
                match named.0.parse::<TaskId>() {
                    Ok(id) if !names.contains_key(&named.0) => ids[at].push(id),
                    _ => after[at].extend(self.tasks_called(named, names, groups, "`after`")?),
                }
            }
            for named in &task.uses {
                if groups.contains_key(&named.0) {
                    let message = format!("`{}` is a group; name one of its tasks, e.g. `{}-0`", named.0, named.0);
                    return Err(Refused::new(named.1, message));
                }
                after[at].extend(self.tasks_called(named, names, groups, "a hole")?);
            }
            let used: BTreeSet<_> = task.uses.iter().map(|(name, _)| name).collect();
            if used.len() > USES_MAX {
                let message =
                    format!("task `{}` uses the results of {} tasks; at most {USES_MAX}", task.name, used.len());
                return Err(Refused::new(task.task.place, message));
            }
        }
        for chain in &self.definition.chains {
            for pair in chain.windows(2) {
                let earlier = self.tasks_called(&pair[0], names, groups, "the chain")?;
                for later in self.tasks_called(&pair[1], names, groups, "the chain")? {
                    after[later].extend(earlier.iter().copied());
                }
            }
        }
        for (at, task) in filled.iter().enumerate() {
            let count = after[at].len() + ids[at].len();
            if count > AFTER_MAX {
                let message = format!("task `{}` waits for {count} tasks; at most {AFTER_MAX}", task.name);
                return Err(Refused::new(task.task.place, message));
            }
        }
        Ok((after.into_iter().map(|deps| deps.into_iter().collect()).collect(), ids))
    }

    /// The task or the tasks of the group that is called so.
    fn tasks_called(
        &self,
        (name, place): &Named,
        names: &BTreeMap<String, usize>,
        groups: &BTreeMap<String, Vec<usize>>,
        who: &str,
    ) -> Result<Vec<usize>, Refused> {
        if let Some(at) = names.get(name) {
            return Ok(Vec::from([*at]));
        }
        if let Some(members) = groups.get(name) {
            return Ok(members.clone());
        }
        Err(Refused::new(*place, format!("{who} names `{name}`, and the flow has no task that is called so")))
    }

    fn fill(&mut self, task: &'a Task, name: String, each: Option<(Node, usize)>) -> Result<Filled<'a>, Refused> {
        let own: BTreeMap<String, Node> = match each {
            Some((item, index)) => {
                let index = Node::at(task.place, Value::from(index));
                OWN.into_iter().map(str::to_owned).zip([item, index]).collect()
            }
            None => BTreeMap::new(),
        };
        let missing = |field: &&Field| !task.fields.iter().any(|own| own.name == field.name);
        let inherited = self.definition.defaults.iter().filter(missing);
        let (mut fields, mut uses) = (Vec::new(), Vec::new());
        for field in task.fields.iter().chain(inherited) {
            let value = if field.name == "payload" {
                results(&field.value, &mut uses)?;
                self.value(&field.value, &own, !uses.is_empty(), true)?
            } else {
                self.value(&field.value, &own, false, false)?
            };
            fields.push(Field { place: field.place, name: field.name.clone(), value });
        }
        if !fields.iter().any(|field| field.name == "task_type") {
            return Err(Refused::new(task.place, format!("task `{}` has no `task_type`", task.name)));
        }
        let name_node = Node::at(task.place, Value::String(name.clone()));
        fields.push(Field { place: task.place, name: "name".to_owned(), value: name_node });
        Ok(Filled { task, name, request: Node { place: task.place, kind: Kind::Map(fields) }, uses })
    }

    fn node(&mut self, node: &Node, own: &BTreeMap<String, Node>) -> Result<Node, Refused> {
        self.value(node, own, false, false)
    }

    /// The value with its variables filled in. `escape`: texts are read again where the task runs. `results`: it may have holes for
    /// results, which stay.
    fn value(
        &mut self,
        node: &Node,
        own: &BTreeMap<String, Node>,
        escape: bool,
        results: bool,
    ) -> Result<Node, Refused> {
        self.spend(node.place, size_of::<Node>())?;
        let kind = match &node.kind {
            Kind::Scalar(value) => Kind::Scalar(value.clone()),
            Kind::List(items) => {
                Kind::List(items.iter().map(|item| self.value(item, own, escape, results)).collect::<Result<_, _>>()?)
            }
            Kind::Map(fields) => {
                let mut filled = Vec::with_capacity(fields.len());
                for field in fields {
                    self.spend(field.place, field.name.len())?;
                    let value = self.value(&field.value, own, escape, results)?;
                    filled.push(Field { place: field.place, name: field.name.clone(), value });
                }
                Kind::Map(filled)
            }
            Kind::Text(text) => return self.text(node.place, text, own, escape, results),
        };
        Ok(Node { place: node.place, kind })
    }

    fn text(
        &mut self,
        place: Place,
        text: &str,
        own: &BTreeMap<String, Node>,
        escape: bool,
        results: bool,
    ) -> Result<Node, Refused> {
        let parts = parts(text).map_err(|error| Refused::new(place, error.to_string()))?;
        if let [Part::Variable(name)] = &parts[..] {
            let value = self.variable(name, place, own)?;
            self.spend(place, weight(&value))?;
            let value = if escape { escape_all(value) } else { value };
            return Ok(Node { place, ..value });
        }
        let (mut whole, mut paid) = (String::new(), 0);
        for part in parts {
            self.spend(place, whole.len() - std::mem::replace(&mut paid, whole.len()))?;
            match part {
                Part::Text(text) if escape => whole.push_str(&escaped(&text)),
                Part::Text(text) => whole.push_str(&text),
                Part::Variable(name) => {
                    let text = as_text(&self.variable(&name, place, own)?);
                    whole.push_str(&if escape { escaped(&text) } else { text });
                }
                Part::Result(reference) if results => whole.push_str(&format!("{{{{{reference}}}}}")),
                Part::Result(reference) => {
                    let message = format!("`{{{{{reference}}}}}`: results are known in a task's `payload` only");
                    return Err(Refused::new(place, message));
                }
            }
        }
        self.spend(place, whole.len() - paid)?;
        Ok(Node { place, kind: Kind::Text(whole) })
    }

    /// So much more is filled in.
    fn spend(&mut self, place: Place, bytes: usize) -> Result<(), Refused> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > FILLED_BYTES_MAX {
            let most = FILLED_BYTES_MAX >> 20;
            return Err(Refused::new(
                place,
                format!("with its variables filled in the flow is larger than {most} MiB"),
            ));
        }
        Ok(())
    }

    fn variable(&mut self, name: &str, place: Place, own: &BTreeMap<String, Node>) -> Result<Node, Refused> {
        if let Some(node) = own.get(name) {
            return Ok(node.clone());
        }
        self.used.insert(name.to_owned());
        self.variables.get(name).cloned().ok_or_else(|| {
            Refused::new(place, format!("the variable `{name}` has no value; give it one with --set {name}=VALUE"))
        })
    }
}

/// `k=v` pairs as variables: a value that reads as JSON is JSON, everything else is a text.
#[must_use]
pub fn set_of(pairs: &[(String, String)]) -> BTreeMap<String, Value> {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    pairs.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// The tree without one of its fields, and that field.
#[must_use]
pub fn without(root: Node, name: &str) -> (Node, Option<Node>) {
    let Node { place, kind: Kind::Map(fields) } = root else { return (root, None) };
    let (mut taken, rest): (Vec<_>, _) = fields.into_iter().partition(|field| field.name == name);
    (Node { place, kind: Kind::Map(rest) }, taken.pop().map(|field| field.value))
}

/// The variables of a table.
///
/// # Errors
/// It is none.
pub fn set_of_table(node: &Node) -> Result<BTreeMap<String, Value>, Refused> {
    match node.to_value() {
        Value::Object(fields) => Ok(Map::into_iter(fields).collect()),
        _ => Err(Refused::new(node.place, format!("`set` is {}, not a table", node.word()))),
    }
}

#[cfg(test)]
mod tests;
