//! A flow as a picture in text: for people, for Graphviz, for Mermaid.

use super::plan::Plan;
use std::fmt::Write as _;

/// In which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// For people: step by step.
    Text,
    /// For Graphviz.
    Dot,
    /// For Mermaid.
    Mermaid,
}

/// Draws a flow.
#[must_use]
pub fn draw(plan: &Plan, picture: Picture) -> String {
    match picture {
        Picture::Text => text(plan),
        Picture::Dot => dot(plan),
        Picture::Mermaid => mermaid(plan),
    }
}

fn text(plan: &Plan) -> String {
    let mut step = vec![0; plan.tasks.len()];
    for (at, task) in plan.tasks.iter().enumerate() {
        step[at] = task.after.iter().map(|dep| step[*dep] + 1).max().unwrap_or(0);
    }
    let wide = |of: &dyn Fn(&super::Planned) -> usize| plan.tasks.iter().map(of).max().unwrap_or(0);
    let (names, types) = (wide(&|task| task.name.len()), wide(&|task| task.task_type().len()));
    let mut out = String::new();
    for now in 0..=step.iter().copied().max().unwrap_or(0) {
        let mut number = (now + 1).to_string();
        for (at, task) in plan.tasks.iter().enumerate().filter(|(at, _)| step[*at] == now) {
            let uses = |dep: &usize| if task.uses.contains(dep) { "*" } else { "" };
            let mut deps: Vec<_> =
                task.after.iter().map(|dep| format!("{}{}", plan.tasks[*dep].name, uses(dep))).collect();
            deps.extend(task.ids.iter().map(ToString::to_string));
            let after = if deps.is_empty() { String::new() } else { format!("after {}", deps.join(", ")) };
            let line = format!("{number:>4}  {:<names$}  {:<types$}  {after}", plan.tasks[at].name, task.task_type());
            let _ = writeln!(out, "{}", line.trim_end());
            number.clear();
        }
    }
    out
}

/// Names have letters, digits, _ and - only, so that nothing in them has to be escaped; types have a few more.
fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph flow {\n  rankdir=LR;\n  node [shape=box];\n");
    for task in &plan.tasks {
        let kind = task.task_type().replace(['"', '\\'], "");
        let _ = writeln!(out, "  \"{}\" [label=\"{}\\n{kind}\"];", task.name, task.name);
    }
    for task in &plan.tasks {
        for dep in &task.after {
            let style = if task.uses.contains(dep) { "" } else { " [style=dashed]" };
            let _ = writeln!(out, "  \"{}\" -> \"{}\"{style};", plan.tasks[*dep].name, task.name);
        }
    }
    out.push_str("}\n");
    out
}

fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("graph LR\n");
    for (at, task) in plan.tasks.iter().enumerate() {
        let kind = task.task_type().replace('"', "");
        let _ = writeln!(out, "  t{at}[\"{}<br/>{kind}\"]", task.name);
    }
    for (at, task) in plan.tasks.iter().enumerate() {
        for dep in &task.after {
            let arrow = if task.uses.contains(dep) { "-->" } else { "-.->" };
            let _ = writeln!(out, "  t{dep} {arrow} t{at}");
        }
    }
    out
}
