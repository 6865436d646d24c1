//! How busy a device's processor is found to be, and whether that is too busy to take more.

use super::World;
use crate::clock::Micros;
use rc_scheduler::{Input, OVERLOAD_LOOKS, OVERLOAD_PPM};

/// What has been measured of a processor lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heat {
    /// Measurements in a row that found it too busy, while an attempt ran.
    looks: u8,
    /// Since when there are so many that the device must not begin anything.
    pub since: Option<Micros>,
}

impl World {
    /// From now on a device's processor is found to be so busy, parts per million; zero: as it happens.
    pub(crate) fn heat_up(&mut self, device: usize, ppm: u32) {
        let it = &mut self.devices[device];
        it.load = (ppm > 0).then_some(ppm);
        it.capacity.cpu_usage_ppm = Some(it.load.unwrap_or(200_000));
        if it.is_awake() {
            self.tell_capacity(device);
        }
    }

    /// Tells a core what was measured.
    pub(crate) fn tell_capacity(&mut self, device: usize) {
        let now = self.now;
        let it = &mut self.devices[device];
        let is_busy = it.capacity.cpu_usage_ppm.is_some_and(|usage| usage > OVERLOAD_PPM);
        let heat = &mut it.heat;
        heat.looks = if is_busy && !it.executor.runs.is_empty() { heat.looks.saturating_add(1) } else { 0 };
        heat.since = (heat.looks >= OVERLOAD_LOOKS).then(|| heat.since.unwrap_or(now));
        self.pauses += u32::from(heat.since == Some(now));
        let capacity = Box::new(it.capacity.clone());
        self.feed(device, Input::Capacity(capacity));
    }

    /// An attempt is over: if it was the last one, whatever keeps the processor busy now is not ours.
    pub(crate) fn cool(&mut self, device: usize) {
        let it = &mut self.devices[device];
        if it.executor.runs.is_empty() {
            it.heat = Heat::default();
        }
    }
}
