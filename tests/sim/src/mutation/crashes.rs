//! Rules about tasks whose devices die.

use super::Place::Scene;
use super::mutations;

mutations! {
    "deaths with a task are not counted" breaks "24a" in Scene("a-task-that-kills") => {
        "guardian/crash.rs": "let crashes = self.crashes(record);" => "let crashes = if MUTANT { 0 } else { self.crashes(record) };";
    }
}
