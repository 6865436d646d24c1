//! What the owner of this device allows: when and in which state the device works for the cluster, and when it gives back what it runs.
//!
//! One file per rule. A rule is a function of the readings, the moment and what it said before; none reads a clock, a sensor or a
//! disk, so tables test them. [`Policy`] puts the rules together, `keeper` is the task that feeds it and carries out what it says.
//! Does not know tasks, leases or other devices. What is unknown changes nothing a rule has said before; only a rule that asks for
//! a proof (that the device charges, which time it is) is not met by what is unknown.

mod battery;
mod ceiling;
mod charge;
mod judge;
mod keeper;
mod moment;
mod order;
mod remembered;
mod remote;
mod rules;
mod store;
mod temperature;
mod trend;
mod windows;

#[cfg(test)]
mod tests;

pub use judge::{Policy, Reason, Verdict};
pub(crate) use keeper::{Asked, Keeper};
pub use keeper::{Limit, PolicyError, PolicyHandle, PolicyReport, Source};
pub use moment::{Local, Moment, Power, Readings};
pub use order::{Order, Pause};
pub use remembered::Remembered;
pub use remote::{DeviceOrder, OrderError, Orders};
pub(crate) use remote::{KIND as EXCHANGE_KIND, hear as hear_order, obey, serve as serve_order};
pub use rules::{Key, Limits, Rules, RulesError};
pub use store::StoreError;
pub use windows::Windows;
